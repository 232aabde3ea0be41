// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IPetraLedger} from "./IPetraLedger.sol";

/// @title The balance rule: for EPA and for ECA equal power in every interval, for FA equal sums.
/// @dev Σ of inputs minus Σ of outputs changes only where a note starts or has ended. Those steps are summed by place,
/// and all of them must be zero. A place is `kind << 64 | interval`, so the smallest place that is not zero is the
/// first interval of the first kind that differs. Places are few (a mix has two), so a linear search finds them.
library Balance {
    uint256 private constant FA = 3;

    struct Steps {
        uint256 count;
        uint256[] places;
        int256[] sums;
    }

    /// @notice Reverts with {IPetraLedger.Unbalanced} unless the inputs cover the outputs exactly.
    /// @dev The notes are well-formed: quantities below 2**63, so that no sum overflows.
    function check(IPetraLedger.IssuedNote[] calldata inputs, IPetraLedger.Note[] calldata outputs) internal pure {
        unchecked {
            uint256 most = 2 * (inputs.length + outputs.length);
            Steps memory steps = Steps(0, new uint256[](most), new int256[](most));
            for (uint256 i = 0; i < inputs.length; ++i) {
                _addNote(steps, inputs[i].note, 1);
            }
            for (uint256 i = 0; i < outputs.length; ++i) {
                _addNote(steps, outputs[i], -1);
            }
            uint256 differing = type(uint256).max;
            for (uint256 i = 0; i < steps.count; ++i) {
                if (steps.sums[i] != 0 && steps.places[i] < differing) differing = steps.places[i];
            }
            if (differing != type(uint256).max) {
                revert IPetraLedger.Unbalanced(differing >> 64, uint64(differing));
            }
        }
    }

    function _addNote(Steps memory steps, IPetraLedger.Note calldata note, int256 sign) private pure {
        unchecked {
            uint256 kind = note.kind;
            int256 quantity = sign * int256(uint256(note.quantity));
            _add(steps, (kind << 64) | note.start, quantity);
            if (kind != FA) _add(steps, (kind << 64) | (uint256(note.end) + 1), -quantity);
        }
    }

    function _add(Steps memory steps, uint256 place, int256 quantity) private pure {
        unchecked {
            uint256 i = steps.count;
            while (i != 0) {
                if (steps.places[--i] == place) {
                    steps.sums[i] += quantity;
                    return;
                }
            }
            i = steps.count++;
            steps.places[i] = place;
            steps.sums[i] = quantity;
        }
    }
}
