// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IPetraLedger} from "../src/IPetraLedger.sol";
import {Base} from "./Base.t.sol";

/// @title EIP-712 digests by plain `abi.encode`, written from docs/ledger.md and not from Digests.sol.
abstract contract TypedData is Base {
    string private constant NOTE = "Note(uint8 kind,address owner,uint64 quantity,uint32 start,uint32 end)";
    string private constant FILL = "Fill(bytes32 sell,bytes32 buy,uint32 powerW,uint64 priceNanoPerWh)";

    string private constant FEEDER_CAPACITY = "FeederCapacity(uint32 feeder,uint64 exportW,uint64 importW)";
    string private constant AUTHORISATION =
        "Authorisation(uint32 meter,address key,uint32 feeder,uint64 maxEpaW,uint64 maxEcaW,uint64 creditNano)";
    string private constant SETTLEMENT = "Settlement(uint32 meter,uint64 amountNano)";
    string private constant PRICE_CHANGE =
        "PriceChange(uint64 timeS,uint64 consumptionNanoPerWh,uint64 productionNanoPerWh)";

    struct Order {
        uint8 side;
        bytes32 energy;
        bytes32[] money;
        uint64 limitNanoPerWh;
        address deliverTo;
        address payTo;
        uint64 expiresS;
        uint32 leastW;
        address keepAt;
        uint8 nonce;
    }

    function _seal(address verifier, bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("PETra"),
                keccak256("1"),
                block.chainid,
                verifier
            )
        );
        return keccak256(abi.encodePacked(bytes2(0x1901), domain, structHash));
    }

    function _hashNotes(uint256[] memory words) internal pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](words.length);
        for (uint256 i = 0; i < words.length; ++i) {
            uint256 w = words[i];
            bool money = uint8(w >> 88) == 3;
            uint256 start = money ? 0 : uint32(w >> 16);
            hashes[i] = keccak256(
                abi.encode(
                    keccak256(bytes(NOTE)),
                    uint8(w >> 88),
                    address(uint160(w >> 96)),
                    money ? uint64(w) : uint64(uint32(w >> 48)),
                    start,
                    money ? 0 : start + uint16(w)
                )
            );
        }
        return keccak256(abi.encodePacked(hashes));
    }

    function _hashWithdraw(uint256 meter, uint256 nonce, uint256 window, uint256[] memory outputs)
        internal
        pure
        returns (bytes32)
    {
        bytes memory kind = abi.encodePacked("Withdraw(uint32 meter,uint64 nonce,uint32 window,Note[] outputs)", NOTE);
        return keccak256(abi.encode(keccak256(kind), meter, nonce, window, _hashNotes(outputs)));
    }

    function _hashTransact(bytes32[] memory ids, uint256[] memory outputs, bytes32 memo)
        internal
        pure
        returns (bytes32)
    {
        bytes memory kind = abi.encodePacked("Transact(bytes32[] inputs,Note[] outputs,bytes32 memo)", NOTE);
        return keccak256(abi.encode(keccak256(kind), keccak256(abi.encodePacked(ids)), _hashNotes(outputs), memo));
    }

    function _hashOrder(Order memory o) internal pure returns (bytes32) {
        bytes32 kind = keccak256(
            "Order(uint8 side,bytes32 energy,bytes32[] money,uint64 limitNanoPerWh,address deliverTo,address payTo,"
            "uint64 expiresS,uint32 leastW,address keepAt,uint8 nonce)"
        );
        bytes memory head = abi.encode(kind, o.side, o.energy, keccak256(abi.encodePacked(o.money)), o.limitNanoPerWh);
        return keccak256(bytes.concat(head, abi.encode(o.deliverTo, o.payTo, o.expiresS, o.leastW, o.keepAt, o.nonce)));
    }

    function _hashFill(bytes32 sell, bytes32 buy, uint256 powerW, uint256 price) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(bytes(FILL)), sell, buy, powerW, price));
    }

    function _hashSettle(bytes32[] memory fills) internal pure returns (bytes32) {
        bytes32 kind = keccak256(abi.encodePacked("Settle(Fill[] fills)", FILL));
        return keccak256(abi.encode(kind, keccak256(abi.encodePacked(fills))));
    }

    function _hashCancel(address owner, uint256 nonces) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("Cancel(address owner,uint256 nonces)"), owner, nonces));
    }

    function _hashRegulate(IPetraLedger.Regulate memory r) internal pure returns (bytes32) {
        bytes32 kind = keccak256(
            abi.encodePacked(
                "Regulate(uint64 nonce,FeederCapacity[] feeders,Authorisation[] authorise,uint32[] ban,"
                "Settlement[] settle,PriceChange[] prices,uint40 timeS,address successor)",
                AUTHORISATION,
                FEEDER_CAPACITY,
                PRICE_CHANGE,
                SETTLEMENT
            )
        );
        bytes memory head = abi.encode(kind, r.nonce, _hashFeeders(r.feeders), _hashGrants(r.authorise));
        bytes memory tail = abi.encode(_hashSettlements(r.settle), _hashPrices(r.prices), r.timeS, r.successor);
        return keccak256(bytes.concat(head, abi.encode(keccak256(abi.encodePacked(r.ban))), tail));
    }

    function _hashFeeders(IPetraLedger.FeederCapacity[] memory items) private pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](items.length);
        for (uint256 i = 0; i < items.length; ++i) {
            hashes[i] = keccak256(bytes.concat(keccak256(bytes(FEEDER_CAPACITY)), abi.encode(items[i])));
        }
        return keccak256(abi.encodePacked(hashes));
    }

    function _hashGrants(IPetraLedger.Authorisation[] memory items) private pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](items.length);
        for (uint256 i = 0; i < items.length; ++i) {
            hashes[i] = keccak256(bytes.concat(keccak256(bytes(AUTHORISATION)), abi.encode(items[i])));
        }
        return keccak256(abi.encodePacked(hashes));
    }

    function _hashSettlements(IPetraLedger.Settlement[] memory items) private pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](items.length);
        for (uint256 i = 0; i < items.length; ++i) {
            hashes[i] = keccak256(bytes.concat(keccak256(bytes(SETTLEMENT)), abi.encode(items[i])));
        }
        return keccak256(abi.encodePacked(hashes));
    }

    function _hashPrices(IPetraLedger.PriceChange[] memory items) private pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](items.length);
        for (uint256 i = 0; i < items.length; ++i) {
            hashes[i] = keccak256(bytes.concat(keccak256(bytes(PRICE_CHANGE)), abi.encode(items[i])));
        }
        return keccak256(abi.encodePacked(hashes));
    }
}
