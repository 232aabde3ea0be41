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

    /// @notice One asset and its owner.
    struct Note {
        /// 1 EPA (permits selling), 2 ECA (permits buying), 3 FA (money).
        uint8 kind;
        address owner;
        /// EPA, ECA: power in W in every interval. FA: amount in nano-units.
        uint64 quantity;
        /// First interval (inclusive); 0 for FA.
        uint32 start;
        /// Last interval (inclusive); 0 for FA.
        uint32 end;
    }

    /// @notice A note as it stands on the ledger, revealed by its spender.
    struct IssuedNote {
        Note note;
        /// EIP-712 digest of the transaction that created the note.
        bytes32 origin;
        /// Place among that transaction's outputs, from 0.
        uint32 index;
    }

    /// @notice Smart-meter transaction: a meter issues notes to its prosumer.
    struct Withdraw {
        uint32 meter;
        /// How many withdrawals the meter made before.
        uint64 nonce;
        /// Delivery interval on whose bill the FA of this withdrawal stands.
        uint32 window;
        Note[] outputs;
    }

    /// @notice Energy and financial transaction: notes change hands, are split or merged.
    struct Transact {
        IssuedNote[] inputs;
        Note[] outputs;
        /// 32 free bytes; a mix puts the hash of its transcript here.
        bytes32 memo;
    }

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
    }

    // --- Refusals: names and arguments of assets/errors.py ------------------------------------------------

    /// No outputs, or a transfer without inputs.
    error EmptyTransaction();
    /// More inputs or more outputs than one transaction may have.
    error TooManyNotes(uint256 count, uint256 limit);
    /// Output `index` is neither EPA, ECA nor FA.
    error BadKind(uint256 index, uint256 kind);
    /// Output `index` belongs to nobody.
    error ZeroOwner(uint256 index);
    /// Quantity zero, or more than 2**63-1.
    error BadQuantity(uint256 index, uint256 quantity);
    /// Start after end, a span beyond the limit, or an FA note with a span.
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
    /// A price that would change the past, in Unix seconds.
    error TimeInPast(uint256 nowS, uint256 timeS);

    // --- Errors of the carrier, not of a transaction -------------------------------------------------------

    /// The constructor was given no DSO address or a time grid that no ledger can have.
    error BadDeployment();
    /// Call `position` of a relay is none of `withdraw`, `transact`, `regulate`.
    error NotRelayable(uint256 position);
    /// Call `position` of a relay failed without a reason: too little gas, or bytes that are no such call.
    /// The whole relay is undone, so that a relayer's thrift is never recorded as a refusal.
    error RelayFailed(uint256 position);

    // --- Events: each carries the accepted call as received, so that the ledger can be read from logs alone ---

    /// @notice A withdrawal was accepted.
    /// @param digest EIP-712 digest of the transaction; `origin` of the notes it created.
    /// @param timeS ledger time of the verdict, Unix seconds.
    /// @param call the ABI-encoded call of `withdraw`, signatures included.
    event Withdrawn(bytes32 indexed digest, uint256 indexed meter, uint256 timeS, bytes call);
    /// @notice A transfer was accepted; parameters as in {Withdrawn}.
    event Transacted(bytes32 indexed digest, bytes32 indexed memo, uint256 timeS, bytes call);
    /// @notice A regulatory transaction was accepted; parameters as in {Withdrawn}.
    event Regulated(bytes32 indexed digest, uint256 indexed nonce, uint256 timeS, bytes call);
    /// @notice Call `position` of this relay was refused and undone; `reason` is its ABI-encoded error.
    event Refused(uint256 indexed position, bytes reason);

    // --- Transactions --------------------------------------------------------------------------------------

    /// @notice Issues notes to a prosumer, within the limits of the meter and its feeder.
    /// @param signatures exactly one, the meter's (65 bytes: r, s, v; low s; v 27 or 28).
    function withdraw(Withdraw calldata tx_, bytes[] calldata signatures) external;

    /// @notice Spends the inputs and creates the outputs.
    /// @param signatures one for each run of consecutive inputs of the same owner, in order.
    function transact(Transact calldata tx_, bytes[] calldata signatures) external;

    /// @notice Records the DSO's decisions.
    /// @param signatures exactly one, the DSO's.
    function regulate(Regulate calldata tx_, bytes[] calldata signatures) external;

    /// @notice Carries many ABI-encoded calls of the three functions above; each is accepted or refused on its own.
    function relay(bytes[] calldata calls) external;

    // --- Views ---------------------------------------------------------------------------------------------

    /// @notice 0 unknown, 1 unspent, 2 spent.
    function status(bytes32 noteId) external view returns (uint8);

    /// @notice The nonce of the meter's next withdrawal; 0 for an unknown meter.
    function meterNonce(uint256 meter) external view returns (uint256);

    /// @notice The nonce of the DSO's next regulatory transaction.
    function regulationNonce() external view returns (uint256);

    /// @notice The last recorded prices with `timeS` at or before the start of interval `t`.
    /// @return price all zero where `recorded` is false.
    /// @return recorded whether there are any.
    function priceAt(uint256 t) external view returns (PriceChange memory price, bool recorded);

    /// @notice What a meter may do: its last authorisation (key zero: never authorised) and whether it is banned.
    function meterLimits(uint32 meter) external view returns (Authorisation memory grant, bool banned);

    /// @notice EPA and ECA power, in W, that a meter issued so far for interval `t`.
    function meterIssued(uint256 meter, uint256 t) external view returns (uint256 epaW, uint256 ecaW);

    /// @notice FA that a meter withdrew, and how much of it is settled, in nano-units.
    function meterCredit(uint256 meter) external view returns (uint256 withdrawnNano, uint256 settledNano);

    /// @notice A feeder's capacities and whether the DSO ever set them.
    function feederCaps(uint32 feeder) external view returns (FeederCapacity memory capacity, bool recorded);

    /// @notice EPA and ECA power, in W, that a feeder's meters issued so far for interval `t`.
    function feederIssued(uint256 feeder, uint256 t) external view returns (uint256 epaW, uint256 ecaW);

    /// @notice Whose signature regulatory transactions carry.
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
