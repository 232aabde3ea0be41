// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Calldata} from "./Calldata.sol";
import {Digests} from "./Digests.sol";
import {IPetraLedger} from "./IPetraLedger.sol";
import {Notes} from "./Notes.sol";
import {Signatures} from "./Signatures.sol";

/// @title Signed orders, as assets/orders.py defines them, read from calldata.
/// @dev limit (8 bytes), expiry (8), least power (4), nonce (1), deliverTo, payTo, keepAt (20 each), number of money
/// notes (1) and of signatures (1); then the notes, energy first: word (32), origin (32), index (2); then signatures.
library Orders {
    uint256 internal constant SELL = 1;
    uint256 internal constant BUY = 2;
    /// Most FA notes of one order.
    uint256 internal constant MAX_MONEY = 16;

    uint256 private constant HEADER = 83;
    uint256 internal constant INPUT = 66;

    bytes32 private constant ORDER_TYPE = keccak256(
        "Order(uint8 side,bytes32 energy,bytes32[] money,uint64 limitNanoPerWh,address deliverTo,address payTo,"
        "uint64 expiresS,uint32 leastW,address keepAt,uint8 nonce)"
    );

    /// @dev The first eleven words are the EIP-712 encoding of the order, to be hashed where they lie.
    struct Order {
        bytes32 typeHash;
        uint256 side;
        bytes32 energyId;
        bytes32 moneyHash;
        uint256 limit;
        address deliverTo;
        address payTo;
        uint256 expiresS;
        uint256 leastW;
        address keepAt;
        uint256 nonce;
        /// EIP-712 digest.
        bytes32 digest;
        /// Word of the energy note.
        uint256 energy;
        /// Ids of all notes, energy first.
        bytes32[] ids;
        /// Where in calldata the notes and the signatures begin, and the order ends.
        uint256 notes;
        uint256 signatures;
        uint256 end;
    }

    /// @notice The order at `pos` in calldata, with its digest.
    function read(uint256 pos, uint256 side, bytes32 separator) internal pure returns (Order memory order) {
        unchecked {
            (order.typeHash, order.side) = (ORDER_TYPE, side);
            order.limit = Calldata.uintAt(pos, 8);
            order.expiresS = Calldata.uintAt(pos + 8, 8);
            order.leastW = Calldata.uintAt(pos + 16, 4);
            order.nonce = Calldata.uintAt(pos + 20, 1);
            order.deliverTo = address(uint160(Calldata.uintAt(pos + 21, 20)));
            order.payTo = address(uint160(Calldata.uintAt(pos + 41, 20)));
            order.keepAt = address(uint160(Calldata.uintAt(pos + 61, 20)));
            uint256 money = Calldata.uintAt(pos + 81, 1);
            if (money > (side == SELL ? 0 : MAX_MONEY)) revert IPetraLedger.Malformed(money);
            order.notes = pos + HEADER;
            order.energy = Calldata.wordAt(order.notes);
            order.signatures = order.notes + (money + 1) * INPUT;
            order.end = order.signatures + Calldata.uintAt(pos + 82, 1) * Signatures.SIZE;
            order.ids = new bytes32[](money + 1);
            for (uint256 i = 0; i <= money; ++i) {
                uint256 note = order.notes + i * INPUT;
                order.ids[i] = Notes.idOf(
                    Calldata.wordAt(note), bytes32(Calldata.wordAt(note + 32)), Calldata.uintAt(note + 64, 2)
                );
            }
            order.energyId = order.ids[0];
            order.digest = Digests.seal(separator, _hash(order));
        }
    }

    function _hash(Order memory order) private pure returns (bytes32 hash) {
        bytes32[] memory ids = order.ids;
        bytes32 money;
        assembly ("memory-safe") {
            money := keccak256(add(ids, 0x40), shl(5, sub(mload(ids), 1)))
        }
        order.moneyHash = money;
        assembly ("memory-safe") {
            hash := keccak256(order, 352)
        }
    }

    /// @notice Reverts unless the order is in time, not among the `cancelled` nonces of its owner, offers the right
    /// kinds of notes, and its owners signed it. `assets/rules/settle.py`, `_check_order`.
    function check(Order memory order, uint256 energyKind, uint256 cancelled) internal view {
        if (order.expiresS <= block.timestamp) {
            revert IPetraLedger.OrderExpired(order.digest, order.expiresS, block.timestamp);
        }
        if ((cancelled >> order.nonce) & 1 != 0) revert IPetraLedger.OrderCancelled(order.digest);
        unchecked {
            uint256 runs = 0;
            address last = address(0);
            for (uint256 i = 0; i < order.ids.length; ++i) {
                uint256 note = Calldata.wordAt(order.notes + i * INPUT);
                uint256 expected = i == 0 ? energyKind : Notes.FA;
                if (Notes.kind(note) != expected) {
                    revert IPetraLedger.WrongKind(order.ids[i], expected, Notes.kind(note));
                }
                if (i == 0 || Notes.owner(note) != last) ++runs;
                last = Notes.owner(note);
            }
            uint256 count = (order.end - order.signatures) / Signatures.SIZE;
            if (count != runs) revert IPetraLedger.SignatureCount(runs, count);
            _checkOwners(order);
        }
    }

    /// @dev One signature for each run of consecutive notes of one owner; the caller has counted them.
    function _checkOwners(Order memory order) private pure {
        unchecked {
            uint256 pos = order.signatures;
            address last = address(0);
            for (uint256 i = 0; i < order.ids.length; ++i) {
                address owner = Notes.owner(Calldata.wordAt(order.notes + i * INPUT));
                if (i == 0 || owner != last) {
                    Signatures.check(order.digest, owner, pos);
                    pos += Signatures.SIZE;
                }
                last = owner;
            }
        }
    }

    /// @return amountNano what the order's money notes are worth together.
    function offered(Order memory order) internal pure returns (uint256 amountNano) {
        unchecked {
            for (uint256 i = 1; i < order.ids.length; ++i) {
                amountNano += uint64(Calldata.wordAt(order.notes + i * INPUT));
            }
        }
    }
}
