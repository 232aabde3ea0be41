// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IPetraLedger} from "./IPetraLedger.sol";

/// @title Where notes stand: one storage word for each group of up to 16 outputs of a transaction.
/// @dev The word is the root of the group's Merkle tree, cut to 240 bits, and below it a bit for each note that is
/// spent. A leaf is the keccak256 of one word, an inner node that of two, so neither passes for the other. The tree is
/// as deep as its notes need; missing leaves are zero, which is nobody's hash. Colliding two groups takes 2**120 work:
/// docs/adr/0011. `assets/groups.py` is the same in Python.
library Groups {
    /// Notes of one group; a power of two.
    uint256 internal constant SIZE = 16;
    uint256 private constant DEPTH = 4;

    /// @notice Puts `count` notes, words in memory from `words` on, on the ledger as the outputs of `origin`.
    /// @dev Overwrites the words.
    function create(mapping(bytes32 => uint256) storage groups, bytes32 origin, uint256 words, uint256 count)
        internal
    {
        unchecked {
            for (uint256 group = 0; count != 0; ++group) {
                uint256 size = count < SIZE ? count : SIZE;
                groups[bytes32(uint256(origin) + group)] = _root(words, size) & ~uint256(0xffff);
                words += size << 5;
                count -= size;
            }
        }
    }

    /// @dev Root of the tree over `size` words in memory, which are overwritten.
    function _root(uint256 words, uint256 size) private pure returns (uint256 root) {
        assembly ("memory-safe") {
            let last := add(words, shl(5, size))
            for { let pos := words } lt(pos, last) { pos := add(pos, 0x20) } { mstore(pos, keccak256(pos, 0x20)) }
            for {} gt(size, 1) {} {
                size := shr(1, add(size, 1))
                let to := words
                for { let pos := words } lt(pos, last) { pos := add(pos, 0x40) } {
                    switch eq(add(pos, 0x20), last)
                    case 0 { mstore(to, keccak256(pos, 0x40)) }
                    default {
                        mstore(0x00, mload(pos))
                        mstore(0x20, 0)
                        mstore(to, keccak256(0x00, 0x40))
                    }
                    to := add(to, 0x20)
                }
                last := to
            }
            root := mload(words)
        }
    }

    /// @notice Marks a note spent. Reverts with {IPetraLedger.UnknownNote} or {IPetraLedger.NoteSpent}.
    /// @param proof where in calldata the note's path lies: its length in one byte, then the siblings from the leaf up.
    /// @return where the path ends.
    function spend(
        mapping(bytes32 => uint256) storage groups,
        bytes32 id,
        uint256 word,
        bytes32 origin,
        uint256 index,
        uint256 proof
    ) internal returns (uint256) {
        unchecked {
            (uint256 root, uint256 place, uint256 next) = climb(word, index, proof);
            bytes32 key = bytes32(uint256(origin) + index / SIZE);
            uint256 group = groups[key];
            if (group == 0 || (group ^ root) >> 16 != 0) revert IPetraLedger.UnknownNote(id);
            uint256 bit = 1 << place;
            if (group & bit != 0) revert IPetraLedger.NoteSpent(id);
            groups[key] = group | bit;
            return next;
        }
    }

    /// @notice The root to which a note's path leads.
    /// @return root zero if the note's place is outside a tree of that depth.
    /// @return place of the note in its group.
    /// @return next where in calldata the path ends.
    function climb(uint256 word, uint256 index, uint256 proof)
        internal
        pure
        returns (uint256 root, uint256 place, uint256 next)
    {
        uint256 depth;
        assembly ("memory-safe") {
            place := and(index, 0x0f)
            depth := byte(0, calldataload(proof))
            next := add(add(proof, 1), shl(5, depth))
            if lt(depth, 5) {
                mstore(0x00, word)
                root := keccak256(0x00, 0x20)
                let path := place
                for { let pos := add(proof, 1) } lt(pos, next) { pos := add(pos, 0x20) } {
                    let right := shl(5, and(path, 1))
                    mstore(right, root)
                    mstore(xor(right, 0x20), calldataload(pos))
                    root := keccak256(0x00, 0x40)
                    path := shr(1, path)
                }
                if path { root := 0 }
            }
        }
        if (depth > DEPTH) revert IPetraLedger.Malformed(depth);
    }
}
