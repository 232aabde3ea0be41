// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice What this contract asks a StatementVerifier.
interface IVerifier {
    /// @notice As in StatementVerifier.sol.
    struct Total {
        uint64 consumptionNanoPerWh;
        uint64 productionNanoPerWh;
        uint256 importX;
        uint256 importY;
        uint256 exportX;
        uint256 exportY;
    }

    /// @notice As in StatementVerifier.sol.
    struct Statement {
        uint32 meter;
        uint64 nonce;
        uint32 first;
        uint32 last;
        bytes32 sheets;
        bytes32 prices;
        uint256 faDepositedX;
        uint256 faDepositedY;
        uint128 faWithdrawnNano;
        int256 billNano;
        uint256 blinding;
    }

    /// @notice Reverts unless the statement opens to its bill; whose signature it carries.
    function verify(Statement calldata statement, Total[] calldata totals, bytes calldata signature)
        external
        view
        returns (address signer);

    /// @notice The EIP-712 digest that the meter signed.
    function digest(Statement calldata s, Total[] calldata totals) external view returns (bytes32);

    /// @notice EIP-712 domain separator of the ledger that statements are made for.
    function domainSeparator() external view returns (bytes32);
}

/// @notice What this contract asks the ledger.
interface ILedger {
    /// @notice As in IPetraLedger.sol.
    struct FeederCapacity {
        uint32 feeder;
        uint64 exportW;
        uint64 importW;
    }

    /// @notice As in IPetraLedger.sol.
    struct Authorisation {
        uint32 meter;
        address key;
        uint32 feeder;
        uint64 maxEpaW;
        uint64 maxEcaW;
        uint64 creditNano;
    }

    /// @notice As in IPetraLedger.sol.
    struct Settlement {
        uint32 meter;
        uint64 amountNano;
    }

    /// @notice As in IPetraLedger.sol.
    struct PriceChange {
        uint64 timeS;
        uint64 consumptionNanoPerWh;
        uint64 productionNanoPerWh;
    }

    /// @notice As in IPetraLedger.sol.
    struct Regulate {
        uint64 nonce;
        FeederCapacity[] feeders;
        Authorisation[] authorise;
        uint32[] ban;
        Settlement[] settle;
        PriceChange[] prices;
        uint40 timeS;
        address successor;
    }

    /// @notice A regulatory transaction; reverts if the ledger refuses it.
    function regulate(Regulate calldata tx_, bytes[] calldata signatures) external;

    /// @notice What a meter may do now, and whether it is banned.
    function meterLimits(uint32 meter) external view returns (Authorisation memory grant, bool banned);
}

/// @title Marks bills as settled on the chain, and frees the credit of the FA that stood on them, in one transaction.
/// @notice A bill is a private statement on alt_bn128. The opening is checked here; the DSO's signed regulatory
/// transaction, which frees the credit, is carried to the ledger by the same call, so that through this contract no bill
/// is settled that does not open, and none without its credit being freed. Anybody may call it: nothing is authorised
/// by `msg.sender`. That sheets and prices are the ledger's, and that the bill was paid, is what the DSO signs for.
/// @dev Money in nano-units. docs/statements.md; ADR 16 says why this is a contract of its own.
contract BillSettlements {
    /// @notice A statement with what it takes to verify it.
    struct Bill {
        IVerifier.Statement statement;
        IVerifier.Total[] totals;
        bytes signature;
    }

    /// @notice Where a meter's settled bills end.
    struct Account {
        /// How many bills are settled: the nonce of the next.
        uint64 settled;
        /// First interval that no settled bill covers.
        uint32 next;
    }

    /// @notice The verifier is made for another ledger.
    error OtherLedger();
    /// @notice The statement is not signed with the key that the ledger authorises for its meter.
    error NotTheMeter(uint32 meter, address signer);
    /// @notice Bills are settled in their order, each once: `expected` is the next number of this meter.
    error OutOfOrder(uint32 meter, uint64 expected, uint64 got);
    /// @notice The period does not start where the last settled one ended.
    error PeriodGap(uint32 meter, uint32 expected, uint32 got);
    /// @notice What the DSO settles at this place is not the FA that stands on the bill.
    error NotTheBill(uint256 place);

    /// @notice A bill is settled: the prosumer owed `billNano` (or was owed, if negative), and it is paid.
    event BillSettled(
        uint32 indexed meter, uint64 nonce, uint32 first, uint32 last, int256 billNano, bytes32 indexed digest
    );

    /// @notice The ledger.
    ILedger public immutable ledger;
    /// @notice What checks openings.
    IVerifier public immutable verifier;
    /// @notice By meter.
    mapping(uint32 => Account) public accounts;
    /// @notice Digest of the statement that was settled, by meter and nonce; zero: none.
    mapping(uint32 => mapping(uint64 => bytes32)) public settledBill;

    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// @param ledger_ the ledger on this chain.
    /// @param verifier_ a verifier made for that ledger.
    constructor(ILedger ledger_, IVerifier verifier_) {
        bytes32 domain = keccak256(
            abi.encode(DOMAIN_TYPE, keccak256("PETra"), keccak256("1"), block.chainid, address(ledger_))
        );
        if (verifier_.domainSeparator() != domain) revert OtherLedger();
        ledger = ledger_;
        verifier = verifier_;
    }

    /// @notice Settle bills. The regulatory transaction settles exactly the FA withdrawn of each bill, in the same order;
    /// a bill without FA has no entry in it. Reverts as a whole for whatever is wrong, the ledger's refusals included.
    function settle(Bill[] calldata bills, ILedger.Regulate calldata regulation, bytes[] calldata signatures)
        external
    {
        uint256 place = 0;
        for (uint256 i = 0; i < bills.length; ++i) {
            Bill calldata bill = bills[i];
            uint256 faNano = bill.statement.faWithdrawnNano;
            _mark(bill);
            if (faNano == 0) continue;
            if (place >= regulation.settle.length) revert NotTheBill(place);
            ILedger.Settlement calldata freed = regulation.settle[place];
            if (freed.meter != bill.statement.meter || freed.amountNano != faNano) revert NotTheBill(place);
            ++place;
        }
        if (place != regulation.settle.length) revert NotTheBill(place);
        ledger.regulate(regulation, signatures);
    }

    /// @dev Verify one bill and mark it as settled.
    function _mark(Bill calldata bill) private {
        IVerifier.Statement calldata s = bill.statement;
        address signer = verifier.verify(s, bill.totals, bill.signature);
        (ILedger.Authorisation memory grant,) = ledger.meterLimits(s.meter);
        if (grant.key != signer) revert NotTheMeter(s.meter, signer);
        Account memory account = accounts[s.meter];
        if (s.nonce != account.settled) revert OutOfOrder(s.meter, account.settled, s.nonce);
        if (account.settled != 0 && s.first != account.next) revert PeriodGap(s.meter, account.next, s.first);
        if (s.last < s.first) revert PeriodGap(s.meter, s.first, s.last);
        accounts[s.meter] = Account(s.nonce + 1, s.last + 1);
        bytes32 digest = verifier.digest(s, bill.totals);
        settledBill[s.meter][s.nonce] = digest;
        emit BillSettled(s.meter, s.nonce, s.first, s.last, s.billNano, digest);
    }
}
