// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Checks that a meter's private statement opens to its bill, on alt_bn128 (EIP-196).
/// @notice It has no state and moves nothing: whoever settles a bill asks it first. docs/statements.md has the equations,
/// assets/commitments/statement.py is its twin in Python and has the same digest.
/// @dev Energy in Wh, prices in nano-units per Wh, money in nano-units. A point is (x, y); (0, 0) is the neutral element
/// and no commitment.
contract StatementVerifier {
    /// @notice The sums of a period's commitments over all intervals at one pair of prices.
    struct Total {
        uint64 consumptionNanoPerWh;
        uint64 productionNanoPerWh;
        uint256 importX;
        uint256 importY;
        uint256 exportX;
        uint256 exportY;
    }

    /// @notice What a meter bills for the intervals `first..last` without showing any of them.
    struct Statement {
        uint32 meter;
        uint64 nonce;
        uint32 first;
        uint32 last;
        /// Keccak-256 of the digests of the commitment sheets.
        bytes32 sheets;
        /// Keccak-256 of the runs of prices; the caller compares it with the ledger's.
        bytes32 prices;
        /// Commitment to the FA deposited.
        uint256 faDepositedX;
        uint256 faDepositedY;
        uint128 faWithdrawnNano;
        int256 billNano;
        /// The weighted sum of all blindings.
        uint256 blinding;
    }

    /// @notice The point number `index` (imports and exports of the totals in turn, then the FA) is none of the group.
    error NotAPoint(uint256 index);
    /// @notice The blinding is not below the order of the group, or the bill not within 2**200 of zero.
    error OutOfRange();
    /// @notice The commitments, weighted with the prices, do not open to the bill.
    error OpeningFails();
    /// @notice The signature is nobody's.
    error BadSignature();

    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant STATEMENT_TYPE = keccak256(
        "PrivateStatement(uint32 meter,uint64 nonce,uint32 first,uint32 last,bytes32 group,bytes32 sheets,"
        "bytes32 prices,bytes32 totals,bytes32 faDeposited,uint128 faWithdrawnNano,int256 billNano,uint256 blinding)"
    );
    bytes32 private constant GROUP = keccak256("PETra commitments v1/alt_bn128");

    /// Prime of the field and order of the group (EIP-196).
    uint256 private constant FIELD = 21888242871839275222246405745257275088696311157297823662689037894645226208583;
    uint256 private constant ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    /// Generator of blindings.
    uint256 private constant G_X = 1;
    uint256 private constant G_Y = 2;
    /// Generator of values: hashed from its label, so that nobody knows its logarithm (assets/commitments/group.py).
    uint256 private constant V_X = 15969865975915227852759094335346803341424383690841267068134045282523749588631;
    uint256 private constant V_Y = 5890691956116823857467397455305738806169374795628749996494761031101181253728;
    /// No bill of integers below this wraps around the order.
    int256 private constant BILL_BOUND = 2 ** 200;
    /// Half the order of secp256k1: a signature has its lower s.
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    /// What the precompiles may take: their dearest price ever (before EIP-1108). A bad point burns no more than that.
    uint256 private constant MULTIPLY_GAS = 40_000;
    uint256 private constant ADD_GAS = 500;

    /// @notice EIP-712 domain separator of the ledger that statements are made for.
    bytes32 public immutable domainSeparator;

    /// @param ledger the contract of the ledger, on this chain.
    constructor(address ledger) {
        domainSeparator =
            keccak256(abi.encode(DOMAIN_TYPE, keccak256("PETra"), keccak256("1"), block.chainid, ledger));
    }

    /// @notice Reverts unless the statement opens to its bill and carries a signature.
    /// @param signature r, s, v of the meter over the EIP-712 digest.
    /// @return signer whose signature it is: the caller compares it with the key that the ledger authorises.
    function verify(Statement calldata statement, Total[] calldata totals, bytes calldata signature)
        external
        view
        returns (address signer)
    {
        checkOpening(statement, totals);
        signer = _recover(digest(statement, totals), signature);
    }

    /// @notice {verify} for who asks from outside: nodes do not agree on how to hand a revert's reason on.
    /// @return signer whose signature it is; zero if the statement is refused.
    /// @return reason the error that {verify} reverts with; empty if there is none.
    function verdict(Statement calldata statement, Total[] calldata totals, bytes calldata signature)
        external
        view
        returns (address signer, bytes memory reason)
    {
        try this.verify(statement, totals, signature) returns (address found) {
            signer = found;
        } catch (bytes memory why) {
            reason = why;
        }
    }

    /// @notice The EIP-712 digest that the meter signs.
    function digest(Statement calldata s, Total[] calldata totals) public view returns (bytes32) {
        bytes32 body = keccak256(
            abi.encode(
                STATEMENT_TYPE,
                s.meter,
                s.nonce,
                s.first,
                s.last,
                GROUP,
                s.sheets,
                s.prices,
                _hash(totals),
                keccak256(abi.encode(s.faDepositedX, s.faDepositedY)),
                s.faWithdrawnNano,
                s.billNano,
                s.blinding
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domainSeparator, body));
    }

    /// @notice Σ p_c C - Σ p_p D - F = (bill - FA withdrawn) V + blinding G, or {OpeningFails}.
    function checkOpening(Statement calldata s, Total[] calldata totals) public view {
        if (s.blinding >= ORDER || s.billNano >= BILL_BOUND || s.billNano <= -BILL_BOUND) revert OutOfRange();
        uint256 x;
        uint256 y;
        uint256 count = totals.length;
        for (uint256 i = 0; i < count; ++i) {
            Total calldata total = totals[i];
            (x, y) = _addTimes(x, y, total.importX, total.importY, total.consumptionNanoPerWh, 2 * i);
            uint256 negated = _negate(total.exportY, 2 * i + 1);
            (x, y) = _addTimes(x, y, total.exportX, negated, total.productionNanoPerWh, 2 * i + 1);
        }
        (x, y) = _addTimes(x, y, s.faDepositedX, _negate(s.faDepositedY, 2 * count), 1, 2 * count);
        int256 value = s.billNano - int256(uint256(s.faWithdrawnNano));
        uint256 scalar = value >= 0 ? uint256(value) : ORDER - uint256(-value);
        (uint256 rightX, uint256 rightY) = _addTimes(0, 0, V_X, V_Y, scalar, 0);
        (rightX, rightY) = _addTimes(rightX, rightY, G_X, G_Y, s.blinding, 0);
        if (x != rightX || y != rightY) revert OpeningFails();
    }

    /// @notice The sums of imports and of exports of commitments laid out as in a sheet: 128 bytes an interval.
    /// @dev Anybody can recompute a total on the chain; a whole month fits a call, not a transaction.
    function sums(uint256[4][] calldata pairs)
        external
        view
        returns (uint256 importX, uint256 importY, uint256 exportX, uint256 exportY)
    {
        for (uint256 i = 0; i < pairs.length; ++i) {
            uint256[4] calldata pair = pairs[i];
            if (pair[0] | pair[1] == 0) revert NotAPoint(2 * i);
            if (pair[2] | pair[3] == 0) revert NotAPoint(2 * i + 1);
            (importX, importY) = _add(importX, importY, pair[0], pair[1], 2 * i);
            (exportX, exportY) = _add(exportX, exportY, pair[2], pair[3], 2 * i + 1);
        }
    }

    /// @dev Six words for each total, as they stand in calldata; {checkOpening} reads, and so checks, the prices.
    function _hash(Total[] calldata totals) private pure returns (bytes32 hash) {
        uint256 length = totals.length * 192;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            calldatacopy(buffer, totals.offset, length)
            hash := keccak256(buffer, length)
        }
    }

    /// @return the y of the point's opposite; an y outside of the field is left for the precompile to refuse.
    function _negate(uint256 y, uint256 index) private pure returns (uint256) {
        if (y >= FIELD) revert NotAPoint(index);
        return y == 0 ? 0 : FIELD - y;
    }

    /// @return (x, y) + scalar * (pointX, pointY).
    function _addTimes(uint256 x, uint256 y, uint256 pointX, uint256 pointY, uint256 scalar, uint256 index)
        private
        view
        returns (uint256, uint256)
    {
        if (pointX | pointY == 0) revert NotAPoint(index);
        bool done;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(buffer, pointX)
            mstore(add(buffer, 0x20), pointY)
            mstore(add(buffer, 0x40), scalar)
            done := staticcall(MULTIPLY_GAS, 7, buffer, 0x60, buffer, 0x40)
            done := and(done, eq(returndatasize(), 0x40))
            pointX := mload(buffer)
            pointY := mload(add(buffer, 0x20))
        }
        if (!done) revert NotAPoint(index);
        return _add(x, y, pointX, pointY, index);
    }

    /// @return sumX and sumY: (x, y) + (otherX, otherY).
    function _add(uint256 x, uint256 y, uint256 otherX, uint256 otherY, uint256 index)
        private
        view
        returns (uint256 sumX, uint256 sumY)
    {
        bool done;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(buffer, x)
            mstore(add(buffer, 0x20), y)
            mstore(add(buffer, 0x40), otherX)
            mstore(add(buffer, 0x60), otherY)
            done := staticcall(ADD_GAS, 6, buffer, 0x80, buffer, 0x40)
            done := and(done, eq(returndatasize(), 0x40))
            sumX := mload(buffer)
            sumY := mload(add(buffer, 0x20))
        }
        if (!done) revert NotAPoint(index);
    }

    function _recover(bytes32 hash, bytes calldata signature) private pure returns (address signer) {
        if (signature.length != 65) revert BadSignature();
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        uint8 v = uint8(signature[64]);
        if (uint256(s) > HALF_ORDER || (v != 27 && v != 28)) revert BadSignature();
        signer = ecrecover(hash, v, r, s);
        if (signer == address(0)) revert BadSignature();
    }
}
