// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IPetraLedger} from "./IPetraLedger.sol";
import {Notes} from "./Notes.sol";

/// @title The balance rule: for EPA and for ECA equal power in every interval, for FA equal sums.
/// @dev Σ of inputs minus Σ of outputs changes only where a note starts or has ended. Those steps are summed by place,
/// and all of them must be zero. A place is `kind << 64 | interval`, so the smallest place whose step is not zero is the
/// first interval of the first kind that differs. Places are few (a mix has two), so a linear search finds them.
library Balance {
    uint256 private constant NOWHERE = type(uint256).max;

    /// @notice Reverts with {IPetraLedger.Unbalanced} unless the inputs cover the outputs exactly.
    /// @dev Inputs and outputs lie in calldata, `inputSize` and 32 bytes apart, each beginning with the note's word.
    /// Quantities are below 2**63 and notes few, so that no sum overflows. The steps, pairs of words (place, sum), lie
    /// in free memory from `first` on; nothing is allocated meanwhile.
    function check(uint256 inputs, uint256 inputCount, uint256 inputSize, uint256 outputs, uint256 outputCount)
        internal
        pure
    {
        unchecked {
            uint256 first;
            assembly ("memory-safe") {
                first := mload(0x40)
            }
            uint256 last = _addAll(first, first, inputs, inputCount, inputSize, 1);
            last = _addAll(first, last, outputs, outputCount, 32, -1);
            uint256 place = _firstStep(first, last);
            if (place != NOWHERE) revert IPetraLedger.Unbalanced(place >> 64, uint64(place));
        }
    }

    /// @dev Notes that differ in their owner alone, as those of a mix, are counted and added at once.
    /// @return the new end of the steps.
    function _addAll(uint256 first, uint256 last, uint256 pos, uint256 count, uint256 size, int256 sign)
        private
        pure
        returns (uint256)
    {
        unchecked {
            uint256 class = 0;
            int256 run = 0;
            for (uint256 i = 0; i < count; ++i) {
                uint256 next;
                assembly ("memory-safe") {
                    next := and(calldataload(pos), 0xffffffffffffffffffffffff)
                    pos := add(pos, size)
                }
                if (next != class) {
                    if (run != 0) last = _addNotes(first, last, class, run);
                    (class, run) = (next, 0);
                }
                run += sign;
            }
            return run == 0 ? last : _addNotes(first, last, class, run);
        }
    }

    /// @dev `count` notes whose words end as `class`; negative for outputs.
    /// @return the new end of the steps.
    function _addNotes(uint256 first, uint256 last, uint256 class, int256 count) private pure returns (uint256) {
        unchecked {
            uint256 kind = Notes.kind(class) << 64;
            if (kind == Notes.FA << 64) return _add(first, last, kind, count * int256(uint256(uint64(class))));
            int256 step = count * int256(uint256(uint32(class >> 48)));
            uint256 start = uint32(class >> 16);
            last = _add(first, last, kind | start, step);
            return _add(first, last, kind | (start + uint16(class) + 1), -step);
        }
    }

    /// @return end the new end of the steps.
    function _add(uint256 first, uint256 last, uint256 place, int256 step) private pure returns (uint256 end) {
        assembly ("memory-safe") {
            let pos := last
            for {} gt(pos, first) {} {
                pos := sub(pos, 0x40)
                if eq(mload(pos), place) {
                    mstore(add(pos, 0x20), add(mload(add(pos, 0x20)), step))
                    end := last
                    break
                }
            }
            if iszero(end) {
                mstore(last, place)
                mstore(add(last, 0x20), step)
                end := add(last, 0x40)
            }
        }
    }

    /// @return place the smallest place whose step is not zero.
    function _firstStep(uint256 first, uint256 last) private pure returns (uint256 place) {
        place = NOWHERE;
        assembly ("memory-safe") {
            for { let pos := first } lt(pos, last) { pos := add(pos, 0x40) } {
                if mload(add(pos, 0x20)) {
                    if lt(mload(pos), place) { place := mload(pos) }
                }
            }
        }
    }
}
