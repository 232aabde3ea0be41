// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title The ledger of PETra: notes, their transfers, and the operator's rules.
/// @notice The same rules, in the same order, as `assets/ledger.py` (the executable specification), verdict for
/// verdict. Nobody is authorised by `msg.sender`: whoever holds a signed transaction may carry it here.
/// @dev Power in W, energy in Wh, money in nano-units (1e-9 of the currency), time in Unix seconds; an interval `t`
/// starts at `genesisS + t * intervalS`. Every field has the type that is signed (EIP-712); a word that its type cannot
/// hold is no transaction at all and reverts without a reason.
interface IPetraLedger {
    // --- Values ------------------------------------------------------------------------------------------

    /// @notice How much power the homes of a feeder may issue together in any interval, in W.
    struct FeederCapacity {
        uint32 feeder;
        /// Cap on EPA.
        uint64 exportW;
        /// Cap on ECA.
        uint64 importW;
    }

    /// @notice A meter and what it may issue; authorising again replaces key and limits and lifts a ban.
    struct Authorisation {
        uint32 meter;
        address key;
        uint32 feeder;
        /// Most EPA and ECA power in any interval, over all withdrawals ever, in W.
        uint64 maxEpaW;
        uint64 maxEcaW;
        /// Most FA that may be withdrawn and not yet settled, in nano-units.
        uint64 creditNano;
    }

    /// @notice That much of a meter's withdrawn FA is settled, in nano-units.
    struct Settlement {
        uint32 meter;
        uint64 amountNano;
    }

    /// @notice The operator's two prices, in nano-units per Wh, for all intervals that start at or after `timeS`.
    struct PriceChange {
        uint64 timeS;
        uint64 consumptionNanoPerWh;
        uint64 productionNanoPerWh;
    }

    /// @notice Regulatory transaction of the DSO. Applied in the order of the fields.
    struct Regulate {
        uint64 nonce;
        FeederCapacity[] feeders;
        Authorisation[] authorise;
        uint32[] ban;
        Settlement[] settle;
        PriceChange[] prices;
        /// Ledger time from which feeders, authorisations and bans take effect, Unix seconds; 0: at once.
        uint40 timeS;
        /// The DSO's next key, from the next transaction on; zero: the key stays. It signs this one, too.
        address successor;
    }

    // --- Refusals: names and arguments of assets/errors.py ------------------------------------------------

    /// No outputs, or a transfer without inputs.
    error EmptyTransaction();
    /// More inputs or more outputs than one transaction may have.
    error TooManyNotes(uint256 count, uint256 limit);
    /// More fills than one settlement may carry.
    error TooManyFills(uint256 count, uint256 limit);
    /// Output `index` is neither EPA, ECA nor FA.
    error BadKind(uint256 index, uint256 kind);
    /// Output `index` belongs to nobody.
    error ZeroOwner(uint256 index);
    /// Quantity zero, or an amount of more than 2**63-1.
    error BadQuantity(uint256 index, uint256 quantity);
    /// A span beyond the limit, or beyond the last interval.
    error BadSpan(uint256 index, uint256 start, uint256 end);
    /// Power whose energy per interval is not a whole number of Wh.
    error FractionalPower(uint256 index, uint256 powerW);
    /// An input that was never created with exactly these fields.
    error UnknownNote(bytes32 noteId);
    /// An input already spent, by an earlier transaction or an earlier input of this one.
    error NoteSpent(bytes32 noteId);
    /// Not one signature for each run of consecutive inputs of one owner.
    error SignatureCount(uint256 expected, uint256 got);
    /// Not canonical, or made by another key; `recovered` is then zero or that key's address.
    error BadSignature(address expected, address recovered);
    /// Outputs and inputs differ in that interval (FA: in total; `interval` is then 0).
    error Unbalanced(uint256 kind, uint256 interval);
    /// Settled at or after the order's expiry, in Unix seconds.
    error OrderExpired(bytes32 order, uint256 expiresS, uint256 nowS);
    /// Its owner cancelled the order.
    error OrderCancelled(bytes32 order);
    /// A note that an order cannot offer in this place.
    error WrongKind(bytes32 noteId, uint256 expected, uint256 got);
    /// Two orders whose energy is for different intervals.
    error SpanMismatch(bytes32 sell, bytes32 buy);
    /// Less power than the order allows, or more than its note holds, in W.
    error FillSize(bytes32 order, uint256 leastW, uint256 mostW, uint256 powerW);
    /// A price that is worse than the order's limit, in nano-units per Wh.
    error PriceLimit(bytes32 order, uint256 limit, uint256 price);
    /// The order's money does not cover the price, in nano-units.
    error Unfunded(bytes32 order, uint256 neededNano, uint256 offeredNano);
    /// The DSO never authorised this meter.
    error UnknownMeter(uint256 meter);
    /// The DSO banned this meter.
    error MeterBanned(uint256 meter);
    /// Replayed, or out of order.
    error BadNonce(uint256 expected, uint256 got);
    /// More power than the meter may issue in an interval, in W.
    error MeterLimit(uint256 meter, uint256 kind, uint256 interval, uint256 limitW, uint256 wouldBeW);
    /// More power than the feeder's homes may issue together in an interval, in W.
    error FeederLimit(uint256 feeder, uint256 kind, uint256 interval, uint256 capW, uint256 wouldBeW);
    /// FA withdrawn and not yet settled would exceed the credit limit, in nano-units.
    error CreditLimit(uint256 meter, uint256 limitNano, uint256 wouldBeNano);
    /// A meter authorised on a feeder that has no capacities.
    error UnknownFeeder(uint256 feeder);
    /// A known meter authorised on another feeder, past which its issued power would slip.
    error FeederFixed(uint256 meter, uint256 feeder);
    /// An authorisation without a key, or with a limit out of range.
    error BadGrant(uint256 meter);
    /// A feeder capacity out of range.
    error BadCapacity(uint256 feeder);
    /// Settling nothing, or more than is outstanding, in nano-units.
    error BadSettlement(uint256 meter, uint256 outstandingNano, uint256 amountNano);
    /// The DSO would buy dearer than it sells.
    error PriceInversion(uint256 consumption, uint256 production);
    /// A price out of range.
    error BadPrice(uint256 price);
    /// A price or a rule that would change the past, in Unix seconds.
    error TimeInPast(uint256 nowS, uint256 timeS);

    // --- Errors of the carrier, not of a transaction -------------------------------------------------------

    /// The constructor was given no DSO address or a time grid that no ledger can have.
    error BadDeployment();
    /// Bytes that encode nothing: a length that does not fit, bits without a meaning. `place` says where, roughly.
    error Malformed(uint256 place);
    /// Only the ledger itself calls this.
    error OnlyLedger();
    /// Call `position` of a relay is none of the five transactions.
    error NotRelayable(uint256 position);
    /// Call `position` of a relay, or fill `position` of a settlement, failed for its encoding or for too little gas.
    /// The whole is undone, so that a relayer's thrift or malice is never recorded as a refusal.
    error RelayFailed(uint256 position);

    // --- Events: each carries the accepted transaction as signed, so that the ledger can be read from logs alone ----

    /// @notice A withdrawal was accepted.
    /// @param digest EIP-712 digest of the transaction; `origin` of the notes it created.
    /// @param timeS ledger time of the verdict, Unix seconds.
    /// @param body what {withdraw} was called with.
    event Withdrawn(bytes32 indexed digest, uint256 timeS, bytes body);
    /// @notice A transfer was accepted; parameters as in {Withdrawn}.
    event Transacted(bytes32 indexed digest, uint256 timeS, bytes body);
    /// @notice Fills were settled: those with a bit in `settled`, fill 0 the lowest. The digest is theirs alone.
    event Settled(bytes32 indexed digest, uint256 timeS, uint256 settled, bytes body);
    /// @notice Fill `position` of the settlement whose {Settled} follows, if it has one, failed; `reason` is its
    /// ABI-encoded error.
    event FillRefused(uint256 indexed position, bytes reason);
    /// @notice Orders were cancelled; `call` is the ABI-encoded call of {cancel}.
    event Cancelled(bytes32 indexed digest, uint256 timeS, bytes call);
    /// @notice A regulatory transaction was accepted; `call` is the ABI-encoded call of {regulate}.
    event Regulated(bytes32 indexed digest, uint256 timeS, bytes call);
    /// @notice Call `position` of this relay was refused and undone; `reason` is its ABI-encoded error.
    event Refused(uint256 indexed position, bytes reason);

    // --- Transactions: numbers are big-endian, notes are words, signatures have 65 bytes (docs/ledger.md) ----------

    /// @notice Issues notes to a prosumer, within the limits of the meter and its feeder.
    /// @param body meter (4 bytes), nonce (8), window (4), number of outputs (2); outputs (32 each); the meter's
    /// signature.
    function withdraw(bytes calldata body) external;

    /// @notice Spends the inputs and creates the outputs.
    /// @param body memo (32 bytes), number of inputs (2) and of outputs (2); inputs: word (32), origin (32), index (2)
    /// each; outputs (32 each); one signature for each run of consecutive inputs of the same owner.
    /// @param proofs for each input the path from its note to the root of its group: length (1), siblings (32 each).
    function transact(bytes calldata body, bytes calldata proofs) external;

    /// @notice Settles matched orders; each fill succeeds or fails on its own.
    /// @param body for each fill its length (2 bytes), power (4), price (8), the order to sell and the order to buy:
    /// limit (8), expiry (8), least power (4), nonce (1), deliverTo, payTo, keepAt (20 each), number of money notes (1)
    /// and of signatures (1), the notes as inputs of {transact}, the signatures.
    /// @param proofs for each fill the length of its proofs (2 bytes), and these, as in {transact}.
    function settle(bytes calldata body, bytes calldata proofs) external;

    /// @notice Voids, for good, the orders of `owner` whose nonce has a bit in `nonces`.
    /// @param signatures exactly one, the owner's.
    function cancel(address owner, uint256 nonces, bytes[] calldata signatures) external;

    /// @notice Records the DSO's decisions.
    /// @param signatures the DSO's; then, if it names one, its successor's.
    function regulate(Regulate calldata tx_, bytes[] calldata signatures) external;

    /// @notice Carries many ABI-encoded calls of the five functions above; each is accepted or refused on its own.
    function relay(bytes[] calldata calls) external;

    // --- Views ---------------------------------------------------------------------------------------------

    /// @notice 0 unknown, 1 unspent, 2 spent: the note with this word, output `index` of the transaction with digest
    /// `origin`.
    /// @param proof its path: length (1 byte), siblings (32 each).
    function status(uint256 word, bytes32 origin, uint16 index, bytes calldata proof) external view returns (uint8);

    /// @notice Nonces of cancelled orders, a bit each.
    function cancelled(address owner) external view returns (uint256);

    /// @notice The nonce of the meter's next withdrawal; 0 for an unknown meter.
    function meterNonce(uint256 meter) external view returns (uint256);

    /// @notice The nonce of the DSO's next regulatory transaction.
    function regulationNonce() external view returns (uint256);

    /// @notice The last recorded prices with `timeS` at or before the start of interval `t`.
    /// @return price all zero where `recorded` is false.
    /// @return recorded whether there are any.
    function priceAt(uint256 t) external view returns (PriceChange memory price, bool recorded);

    /// @notice What a meter may do now: its authorisation (key zero: none) and whether it is banned.
    function meterLimits(uint32 meter) external view returns (Authorisation memory grant, bool banned);

    /// @notice EPA and ECA power, in W, that a meter issued so far for interval `t`.
    function meterIssued(uint256 meter, uint256 t) external view returns (uint256 epaW, uint256 ecaW);

    /// @notice FA that a meter withdrew and that is not settled yet, in nano-units.
    function meterOutstanding(uint256 meter) external view returns (uint256 amountNano);

    /// @notice A feeder's capacities now, and whether the DSO ever set them.
    function feederCaps(uint32 feeder) external view returns (FeederCapacity memory capacity, bool recorded);

    /// @notice EPA and ECA power, in W, that a feeder's meters issued so far for interval `t`.
    function feederIssued(uint256 feeder, uint256 t) external view returns (uint256 epaW, uint256 ecaW);

    /// @notice Whose signature the first regulatory transaction carries.
    function founder() external view returns (address);

    /// @notice Whose signature the next regulatory transaction carries.
    function dso() external view returns (address);

    /// @notice Unix time at which interval 0 starts.
    function genesisS() external view returns (uint256);

    /// @notice Length of an interval, in seconds.
    function intervalS() external view returns (uint256);

    /// @notice The domain of signatures (EIP-5267).
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        );
}
