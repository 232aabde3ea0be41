// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Base} from "./Base.t.sol";
import {Handler} from "./Handler.t.sol";
import {IPetraLedger} from "../src/IPetraLedger.sol";

/// @title What holds after any sequence of transactions, by what the ledger itself answers about each note.
contract LedgerInvariants is Base {
    Handler private handler;
    IPetraLedger private ledger;

    function setUp() external {
        handler = new Handler();
        ledger = handler.ledger();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_holds() public view {
        _unspentIsIssued();
        _limitsHold();
    }

    /// In every interval and kind there is unspent exactly what meters issued; of money, what they owe or have paid.
    function _unspentIsIssued() private view {
        uint256[9] memory unspent;
        uint256 intervals = handler.INTERVALS();
        for (uint256 i = 0; i < handler.count(); ++i) {
            Handler.Held memory note = handler.held(i);
            uint8 status = ledger.status(note.word, note.origin, uint16(note.index), note.path);
            require(status == (note.spent ? 2 : 1), "status");
            if (status != 1) continue;
            for (uint256 t = 0; t < intervals; ++t) {
                unspent[2 * t] += handler.holds(note.word, 1, t);
                unspent[2 * t + 1] += handler.holds(note.word, 2, t);
            }
            unspent[8] += handler.holds(note.word, 3, 0);
        }
        for (uint256 t = 0; t < intervals; ++t) {
            (uint256 epa, uint256 eca) = ledger.feederIssued(7, t);
            require(unspent[2 * t] == epa && unspent[2 * t + 1] == eca, "energy");
        }
        uint256 owed = handler.settledNano();
        for (uint256 m = 0; m < handler.METERS(); ++m) {
            owed += ledger.meterOutstanding(m);
        }
        require(unspent[8] == owed, "money");
    }

    /// No meter, no feeder and no credit is beyond its limit, and feeders count what their meters issued.
    function _limitsHold() private view {
        for (uint256 t = 0; t < handler.INTERVALS(); ++t) {
            (uint256 epaSum, uint256 ecaSum) = (0, 0);
            for (uint256 m = 0; m < handler.METERS(); ++m) {
                (uint256 epa, uint256 eca) = ledger.meterIssued(m, t);
                require(epa <= handler.MAX_METER_W() && eca <= handler.MAX_METER_W(), "meter");
                require(ledger.meterOutstanding(m) <= handler.CREDIT(), "credit");
                (epaSum, ecaSum) = (epaSum + epa, ecaSum + eca);
            }
            (uint256 feederEpa, uint256 feederEca) = ledger.feederIssued(7, t);
            require(feederEpa == epaSum && feederEca == ecaSum, "feeder's sum");
            require(epaSum <= handler.MAX_FEEDER_W() && ecaSum <= handler.MAX_FEEDER_W(), "feeder");
        }
    }

    /// A fixed walk reaches every verdict of every action, so that the invariants are not held by idleness.
    function test_handler_reaches_every_verdict() external {
        for (uint256 i = 0; i < 200; ++i) {
            uint256 seed = uint256(keccak256(abi.encode("walk", i)));
            if (i % 5 == 0) handler.withdraw(seed);
            else if (i % 5 == 1) handler.transact(seed);
            else if (i % 5 == 2) handler.settle(seed);
            else if (i % 5 == 3) handler.withdrawRest(seed);
            else handler.pay(seed);
        }
        string[4] memory names = ["withdraw", "rest", "transact", "fill"];
        for (uint256 i = 0; i < 4; ++i) {
            uint256 accepted = handler.verdicts(keccak256(abi.encodePacked(names[i], true)));
            uint256 refused = handler.verdicts(keccak256(abi.encodePacked(names[i], false)));
            require(accepted > 2 && refused > 2, string.concat(names[i], ": too idle"));
        }
        invariant_holds();
    }
}
