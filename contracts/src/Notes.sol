// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IPetraLedger} from "./IPetraLedger.sol";

/// @title A note as one word, as `note_word` in assets/notes.py defines it.
/// @dev From the left: owner (160 bits), kind (8); then for FA 24 zeros and the amount (64), for all other kinds 8
/// zeros, power (32), start (32) and the number of further intervals (16).
library Notes {
    uint256 internal constant EPA = 1;
    uint256 internal constant ECA = 2;
    uint256 internal constant FA = 3;

    /// Largest amount of one FA note, in nano-units; also largest credit and price.
    uint256 internal constant MAX_QUANTITY = 2 ** 63 - 1;
    /// Most intervals that one energy note may cover.
    uint256 internal constant MAX_SPAN = 1024;
    /// Largest interval index; a note ends before it.
    uint256 internal constant MAX_INDEX = 2 ** 32 - 1;

    uint256 private constant SECONDS_PER_HOUR = 3600;
    /// Start and further intervals of an energy note.
    uint256 internal constant SPAN_MASK = 2 ** 48 - 1;

    /// @return the kind of a note: 1 EPA, 2 ECA, 3 FA.
    function kind(uint256 word) internal pure returns (uint256) {
        return uint8(word >> 88);
    }

    /// @return who may spend the note.
    function owner(uint256 word) internal pure returns (address) {
        return address(uint160(word >> 96));
    }

    /// @return the power of an energy note in W, or the amount of an FA note in nano-units.
    function quantity(uint256 word) internal pure returns (uint256) {
        return kind(word) == FA ? uint64(word) : uint32(word >> 48);
    }

    /// @return the first interval of an energy note; 0 for FA.
    function start(uint256 word) internal pure returns (uint256) {
        return kind(word) == FA ? 0 : uint32(word >> 16);
    }

    /// @return the last interval of an energy note; 0 for FA.
    function end(uint256 word) internal pure returns (uint256) {
        unchecked {
            return kind(word) == FA ? 0 : uint32(word >> 16) + uint256(uint16(word));
        }
    }

    /// @return the note of `owner_` with the kind, power or amount, and span given, which are within their bits.
    function pack(address owner_, uint256 kind_, uint256 powerOrAmount, uint256 span) internal pure returns (uint256) {
        uint256 head = (uint256(uint160(owner_)) << 96) | (kind_ << 88);
        return head | (kind_ == FA ? powerOrAmount : (powerOrAmount << 48) | span);
    }

    /// @notice Reverts with the first rule that output `index` breaks. `assets/rules/notes.py`, `check_note`.
    function check(uint256 word, uint256 index, uint256 intervalS) internal pure {
        unchecked {
            uint256 kind_ = kind(word);
            // Bits without a meaning are zero, and an interval has 32 bits: there is one word for a note, or none.
            if (kind_ == FA) {
                if (uint24(word >> 64) != 0) revert IPetraLedger.Malformed(index);
                if (word >> 96 == 0) revert IPetraLedger.ZeroOwner(index);
                uint256 amountNano = uint64(word);
                if (amountNano == 0 || amountNano > MAX_QUANTITY) revert IPetraLedger.BadQuantity(index, amountNano);
                return;
            }
            uint256 last = uint32(word >> 16) + uint256(uint16(word));
            if (uint8(word >> 80) != 0 || last > MAX_INDEX) revert IPetraLedger.Malformed(index);
            if (kind_ == 0 || kind_ > FA) revert IPetraLedger.BadKind(index, kind_);
            if (word >> 96 == 0) revert IPetraLedger.ZeroOwner(index);
            uint256 powerW = uint32(word >> 48);
            if (powerW == 0) revert IPetraLedger.BadQuantity(index, 0);
            if (uint16(word) >= MAX_SPAN || last == MAX_INDEX) {
                revert IPetraLedger.BadSpan(index, uint32(word >> 16), last);
            }
            if (powerW * intervalS % SECONDS_PER_HOUR != 0) revert IPetraLedger.FractionalPower(index, powerW);
        }
    }

    /// @return id keccak256 of the note's word, the digest of the transaction that created it, and its place there.
    function idOf(uint256 word, bytes32 madeBy, uint256 index) internal pure returns (bytes32 id) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(buffer, word)
            mstore(add(buffer, 0x20), madeBy)
            mstore(add(buffer, 0x40), index)
            id := keccak256(buffer, 0x60)
        }
    }
}
