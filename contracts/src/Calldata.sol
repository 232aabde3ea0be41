// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Big-endian numbers at places of calldata. Beyond its end there are zeros.
library Calldata {
    /// @return value the number of `size` bytes (1 to 32) at `pos`.
    function uintAt(uint256 pos, uint256 size) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, size)), calldataload(pos))
        }
    }

    /// @return value the word at `pos`.
    function wordAt(uint256 pos) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := calldataload(pos)
        }
    }

    /// @return pos where a byte string begins.
    function startOf(bytes calldata data) internal pure returns (uint256 pos) {
        assembly ("memory-safe") {
            pos := data.offset
        }
    }
}
