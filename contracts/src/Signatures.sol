// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IPetraLedger} from "./IPetraLedger.sol";

/// @title Canonical secp256k1 signatures, as `recover_address` in assets/keys.py accepts them.
library Signatures {
    /// Bytes of a signature: r, s, v; low s; v 27 or 28.
    uint256 internal constant SIZE = 65;
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    /// @notice Reverts with {IPetraLedger.BadSignature} unless `expected` signed `digest` with the 65 bytes at `pos`.
    /// @dev The zero address is nobody, and never authorised by a signature that recovers to nothing. Should the
    /// precompile itself run out of gas, `ecrecover` reverts without a reason, which no relay takes for a refusal.
    function check(bytes32 digest, address expected, uint256 pos) internal pure {
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly ("memory-safe") {
            r := calldataload(pos)
            s := calldataload(add(pos, 0x20))
            v := byte(0, calldataload(add(pos, 0x40)))
        }
        address recovered = (v == 27 || v == 28) && uint256(s) <= HALF_ORDER ? ecrecover(digest, v, r, s) : address(0);
        if (recovered != expected || recovered == address(0)) revert IPetraLedger.BadSignature(expected, recovered);
    }

    /// @notice As {check}, for a byte string of any length; whatever has not 65 bytes recovers to nobody.
    function check(bytes32 digest, address expected, bytes calldata signature) internal pure {
        if (signature.length != SIZE) revert IPetraLedger.BadSignature(expected, address(0));
        uint256 pos;
        assembly ("memory-safe") {
            pos := signature.offset
        }
        check(digest, expected, pos);
    }
}
