// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Balance} from "../src/Balance.sol";
import {IPetraLedger} from "../src/IPetraLedger.sol";
import {Notes} from "../src/Notes.sol";
import {Base} from "./Base.t.sol";

/// @title The rules on notes, callable from outside.
contract NotesHarness {
    function check(uint256 word, uint256 index, uint256 intervalS) external pure {
        Notes.check(word, index, intervalS);
    }

    /// @param inputs,outputs words, one behind the other.
    function balance(bytes calldata inputs, bytes calldata outputs) external pure {
        uint256 a;
        uint256 b;
        assembly ("memory-safe") {
            a := inputs.offset
            b := outputs.offset
        }
        Balance.check(a, inputs.length / 32, 32, b, outputs.length / 32);
    }
}

contract NotesTest is Base {
    NotesHarness private harness = new NotesHarness();

    uint256 private constant INTERVALS = 12;

    /// Any word at all gets the verdict of the naive model.
    function testFuzz_any_word(uint256 word, uint16 intervalS) external view {
        _compare(word, _bound(intervalS, 1, 86_400));
    }

    /// Words near the rules' bounds, where random words never come.
    function testFuzz_words_near_bounds(address owner, uint8 kind, uint8 gap, uint32[4] memory n, uint8 pick)
        external
        view
    {
        uint256 start = pick & 1 == 0 ? n[0] : type(uint32).max - n[0] % 2050;
        uint256 further = pick & 2 == 0 ? n[1] % 1026 : uint16(n[1]);
        uint256 powerW = pick & 4 == 0 ? n[2] : n[2] % 5;
        uint256 word = (uint256(uint160(pick & 8 == 0 ? owner : address(0))) << 96) | (_bound(kind, 0, 4) << 88)
            | (uint256(pick & 16 == 0 ? 0 : gap) << 80) | (powerW << 48) | (start << 16) | further;
        _compare(word, _bound(n[3], 1, 7200));
        word = (uint256(uint160(owner)) << 96) | (uint256(3) << 88) | (uint256(pick & 32 == 0 ? 0 : gap) << 64)
            | (pick & 64 == 0 ? 2 ** 63 - 2 + n[0] % 4 : n[0] % 3);
        _compare(word, 3600);
    }

    /// One meaningless bit is refused, wherever it stands, and as malformed.
    function testFuzz_meaningless_bits(address owner, uint64 q, uint8 bit) external view {
        if (owner == address(0)) owner = address(1);
        uint256 money = _word(owner, 3, _bound(q, 1, 2 ** 63 - 1), 0, 0);
        require(_verdict(money, 900) == bytes4(0), "money");
        require(_verdict(money | (1 << _bound(bit, 64, 87)), 900) == IPetraLedger.Malformed.selector, "bit of money");
        uint256 power = _word(owner, 1 + q % 2, (q % 1000 + 1) * 4, q % 99, q % 7);
        require(_verdict(power, 900) == bytes4(0), "power");
        require(_verdict(power | (1 << _bound(bit, 80, 87)), 900) == IPetraLedger.Malformed.selector, "bit of power");
    }

    /// Balanced or not, and where first: as sums by interval say.
    function testFuzz_balance(uint256 seed, uint8 n, uint8 m, bool mend) external view {
        uint256[] memory inputs = _random(seed, _bound(n, 1, 8));
        uint256[] memory outputs = mend ? _rearranged(inputs, seed) : _random(~seed, _bound(m, 1, 8));
        if (mend && m % 4 == 0) {
            outputs[m % outputs.length] += uint256(1) << (Notes.kind(outputs[m % outputs.length]) == 3 ? 0 : 48);
        }
        bytes4 expected = 0;
        uint256 kind = 1;
        uint256 t = 0;
        for (; kind <= 3 && expected == 0; ++kind) {
            for (t = 0; t < INTERVALS && expected == 0; ++t) {
                if (_sum(inputs, kind, t) != _sum(outputs, kind, t)) expected = IPetraLedger.Unbalanced.selector;
            }
        }
        try harness.balance(abi.encodePacked(inputs), abi.encodePacked(outputs)) {
            require(expected == 0, "accepted");
        } catch (bytes memory reason) {
            require(expected != 0, "refused");
            require(keccak256(reason) == keccak256(abi.encodeWithSelector(expected, kind - 1, t - 1)), "another place");
        }
    }

    function _random(uint256 seed, uint256 count) private pure returns (uint256[] memory words) {
        words = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 x = uint256(keccak256(abi.encode(seed, i)));
            uint256 kind = _bound(x, 1, 3);
            words[i] = kind == 3
                ? _word(address(uint160(x | 1)), 3, _bound(x >> 8, 1, 9), 0, 0)
                : _word(address(uint160(x | 1)), kind, _bound(x >> 8, 1, 9), (x >> 16) % 6, (x >> 24) % 6);
        }
    }

    /// @dev The same assets in other pieces: each energy note cut in two, in time or in power, then reversed.
    function _rearranged(uint256[] memory inputs, uint256 seed) private pure returns (uint256[] memory words) {
        words = new uint256[](inputs.length * 2);
        uint256 count = 0;
        for (uint256 i = inputs.length; i != 0; --i) {
            uint256 word = inputs[i - 1];
            (uint256 kind, uint256 q) = (Notes.kind(word), Notes.quantity(word));
            (uint256 start, uint256 further) = (Notes.start(word), Notes.end(word) - Notes.start(word));
            if (kind != 3 && further != 0 && (seed >> i) & 1 == 0) {
                words[count++] = _word(address(7), kind, q, start + 1, further - 1);
                words[count++] = _word(address(8), kind, q, start, 0);
            } else if (q > 1) {
                words[count++] = _word(address(7), kind, 1, start, further);
                words[count++] = _word(address(8), kind, q - 1, start, further);
            } else {
                words[count++] = word;
            }
        }
        assembly ("memory-safe") {
            mstore(words, count)
        }
    }

    /// @dev What the notes hold of a kind in interval `t`; all FA is held in interval 0.
    function _sum(uint256[] memory words, uint256 kind, uint256 t) private pure returns (uint256 sum) {
        for (uint256 i = 0; i < words.length; ++i) {
            if (uint8(words[i] >> 88) != kind) continue;
            if (kind == 3) {
                sum += t == 0 ? uint64(words[i]) : 0;
            } else {
                uint256 start = uint32(words[i] >> 16);
                if (start <= t && t <= start + uint16(words[i])) sum += uint32(words[i] >> 48);
            }
        }
    }

    function _compare(uint256 word, uint256 intervalS) private view {
        require(_verdict(word, intervalS) == _model(abi.encodePacked(word), intervalS), "verdict");
    }

    function _verdict(uint256 word, uint256 intervalS) private view returns (bytes4 selector) {
        try harness.check(word, 0, intervalS) {}
        catch (bytes memory reason) {
            selector = bytes4(reason);
        }
    }

    /// @dev By bytes, as docs/ledger.md lays them out; in the order in which the rules are told there.
    function _model(bytes memory b, uint256 intervalS) private pure returns (bytes4) {
        bool money = b[20] == 0x03;
        uint256 quantity = money ? _number(b, 24, 8) : _number(b, 22, 4);
        uint256 end = money ? 0 : _number(b, 26, 4) + _number(b, 30, 2);
        if (_number(b, 21, money ? 3 : 1) != 0 || end > 2 ** 32 - 1) return IPetraLedger.Malformed.selector;
        if (b[20] == 0 || uint8(b[20]) > 3) return IPetraLedger.BadKind.selector;
        if (_number(b, 0, 20) == 0) return IPetraLedger.ZeroOwner.selector;
        if (quantity == 0 || quantity >= 2 ** 63) return IPetraLedger.BadQuantity.selector;
        if (money) return 0;
        if (_number(b, 30, 2) + 1 > 1024 || end == 2 ** 32 - 1) return IPetraLedger.BadSpan.selector;
        uint256 wattSeconds = quantity * intervalS;
        return wattSeconds == wattSeconds / 3600 * 3600 ? bytes4(0) : IPetraLedger.FractionalPower.selector;
    }

    function _number(bytes memory b, uint256 first, uint256 size) private pure returns (uint256 value) {
        for (uint256 i = first; i < first + size; ++i) {
            value = value * 256 + uint8(b[i]);
        }
    }
}
