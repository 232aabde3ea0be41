// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IPetraLedger} from "../src/IPetraLedger.sol";
import {TypedData} from "./TypedData.t.sol";

/// @title Drives a ledger with signed transactions, right and wrong ones, and keeps book of the notes it made.
/// @dev Each action knows beforehand whether the ledger must accept; any other verdict reverts, which fails the run.
contract Handler is TypedData {
    struct Held {
        uint256 word;
        bytes32 origin;
        uint256 index;
        bytes path;
        bool spent;
    }

    uint256 internal constant N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint256 internal constant DSO_KEY = 1001;
    uint256 internal constant METER_KEY = 2000;
    uint256 internal constant OWNER_KEY = 3000;
    uint256 internal constant OWNERS = 4;
    uint256 public constant METERS = 2;
    uint256 public constant INTERVALS = 4;
    uint64 public constant MAX_METER_W = 9000;
    uint64 public constant MAX_FEEDER_W = 12_000;
    uint64 public constant CREDIT = 4_000_000;
    uint32 internal constant FEEDER = 7;

    IPetraLedger public immutable ledger;
    Held[] internal _held;
    uint256 public settledNano;
    mapping(bytes32 => uint256) public verdicts;

    constructor() {
        VM.warp(1_700_000_000);
        bytes memory code = abi.encodePacked(
            VM.getCode("artifacts/PetraLedger.json"),
            abi.encode(uint256(1_700_000_000), uint256(3600), VM.addr(DSO_KEY))
        );
        address made;
        assembly ("memory-safe") {
            made := create(0, add(code, 0x20), mload(code))
        }
        ledger = IPetraLedger(made);
        IPetraLedger.Regulate memory r;
        r.feeders = new IPetraLedger.FeederCapacity[](1);
        r.feeders[0] = IPetraLedger.FeederCapacity(FEEDER, MAX_FEEDER_W, MAX_FEEDER_W);
        r.authorise = new IPetraLedger.Authorisation[](METERS);
        for (uint32 m = 0; m < METERS; ++m) {
            r.authorise[m] =
                IPetraLedger.Authorisation(m, VM.addr(METER_KEY + m), FEEDER, MAX_METER_W, MAX_METER_W, CREDIT);
        }
        _regulate(r);
    }

    function count() external view returns (uint256) {
        return _held.length;
    }

    function held(uint256 i) external view returns (Held memory) {
        return _held[i];
    }

    // --- Actions -------------------------------------------------------------------------------------------

    /// A single note that takes all that is left below the limits, or one unit more.
    function withdrawRest(uint256 seed) external {
        uint256 meter = seed % METERS;
        uint256 kind = _bound(seed >> 8, 1, 3);
        uint256 t = (seed >> 16) % INTERVALS;
        bool fits = (seed >> 24) % 4 == 0;
        uint256 rest = _rest(meter, kind, t);
        if (rest == 0) fits = false;
        uint256[] memory words = new uint256[](1);
        words[0] = _word(VM.addr(OWNER_KEY + seed % OWNERS), kind, fits ? rest : rest + 1, t, 0);
        uint256 nonce = ledger.meterNonce(meter);
        bytes32 digest = _seal(address(ledger), _hashWithdraw(meter, nonce, 5, words));
        (bytes memory signature,) = _sign(METER_KEY + meter, digest, 15);
        bytes memory body = abi.encodePacked(uint32(meter), uint64(nonce), uint32(5), uint16(1), words, signature);
        _expect("rest", abi.encodeCall(ledger.withdraw, (body)), fits);
        if (fits) _keep(digest, words);
    }

    function _rest(uint256 meter, uint256 kind, uint256 t) private view returns (uint256) {
        if (kind == 3) return CREDIT - ledger.meterOutstanding(meter);
        (uint256 epa, uint256 eca) = ledger.meterIssued(meter, t);
        (uint256 allEpa, uint256 allEca) = ledger.feederIssued(FEEDER, t);
        uint256 ofMeter = MAX_METER_W - (kind == 1 ? epa : eca);
        uint256 ofFeeder = MAX_FEEDER_W - (kind == 1 ? allEpa : allEca);
        return ofMeter < ofFeeder ? ofMeter : ofFeeder;
    }

    /// A withdrawal of up to 20 notes, within the limits or not; signed by the meter, or badly.
    function withdraw(uint256 seed) external {
        uint256 meter = seed % METERS;
        uint256[] memory words = new uint256[](_bound(seed >> 8, 1, 20));
        for (uint256 i = 0; i < words.length; ++i) {
            words[i] = _anyNote(uint256(keccak256(abi.encode(seed, i))));
        }
        bool fits = _fits(meter, words);
        uint256 nonce = ledger.meterNonce(meter);
        bytes32 digest = _seal(address(ledger), _hashWithdraw(meter, nonce, 5, words));
        (bytes memory signature, bool good) = _sign(METER_KEY + meter, digest, seed >> 64);
        if ((seed >> 240) % 8 == 0) {
            // A bit without a meaning, signed or not, makes a note nothing at all.
            words[0] |= 1 << 80;
            good = false;
        }
        bytes memory body =
            abi.encodePacked(uint32(meter), uint64(nonce), uint32(5), uint16(words.length), words, signature);
        _expect("withdraw", abi.encodeCall(ledger.withdraw, (body)), fits && good);
        if (fits && good) _keep(digest, words);
    }

    /// A transfer of up to three notes, spent ones among them, of any owners; balanced or not; signed well or badly.
    function transact(uint256 seed) external {
        uint256[] memory picks = _pick(seed, _bound(seed >> 8, 1, 3));
        if (picks.length == 0) return;
        bool good = true;
        bytes32[] memory ids = new bytes32[](picks.length);
        bytes memory inputs;
        bytes memory paths;
        for (uint256 i = 0; i < picks.length; ++i) {
            Held storage note = _held[picks[i]];
            good = good && !note.spent;
            for (uint256 j = 0; j < i; ++j) {
                good = good && picks[i] != picks[j];
            }
            ids[i] = keccak256(abi.encode(note.word, note.origin, note.index));
            inputs = abi.encodePacked(inputs, note.word, note.origin, uint16(note.index));
            paths = abi.encodePacked(paths, note.path);
        }
        uint256[] memory outputs = _cut(picks, seed);
        if ((seed >> 96) % 8 == 0) {
            uint256 k = (seed >> 100) % outputs.length;
            outputs[k] += uint8(outputs[k] >> 88) == 3 ? 1 : uint256(1) << 48;
            good = false;
        }
        bytes32 digest = _seal(address(ledger), _hashTransact(ids, outputs, bytes32(seed)));
        (bytes memory signatures, bool signed) = _signAll(picks, digest, seed >> 64);
        bytes memory body =
            abi.encodePacked(bytes32(seed), uint16(picks.length), uint16(outputs.length), inputs, outputs, signatures);
        good = good && signed;
        _expect("transact", abi.encodeCall(ledger.transact, (body, paths)), good);
        if (!good) return;
        for (uint256 i = 0; i < picks.length; ++i) {
            _held[picks[i]].spent = true;
        }
        _keep(digest, outputs);
    }

    /// One fill of matching orders, once or twice in one settlement: the second time its notes are spent.
    function settle(uint256 seed) external {
        (bool found, uint256[3] memory n) = _match(seed);
        if (!found) return;
        (bytes memory one, bytes memory paths, bytes32 fillHash, uint256[] memory made, bool good) = _fill(seed, n);
        one = abi.encodePacked(uint16(one.length), one);
        paths = abi.encodePacked(uint16(paths.length), paths);
        bool twice = (seed >> 120) % 2 == 0;
        if (twice) (one, paths) = (bytes.concat(one, one), bytes.concat(paths, paths));
        _expect("settle", abi.encodeCall(ledger.settle, (one, paths)), true);
        verdicts[keccak256(abi.encodePacked("fill", good))] += 1;
        if (!good) return;
        for (uint256 i = 0; i < 3; ++i) {
            _held[n[i]].spent = true;
        }
        bytes32[] memory fills = new bytes32[](1);
        fills[0] = fillHash;
        _keep(_seal(address(ledger), _hashSettle(fills)), made);
    }

    /// The DSO settles a part of what a meter owes, so that withdrawals of money go on.
    function pay(uint256 seed) external {
        uint256 meter = seed % METERS;
        uint256 owed = ledger.meterOutstanding(meter);
        if (owed == 0) return;
        uint64 amount = uint64(_bound(seed >> 8, 1, owed));
        IPetraLedger.Regulate memory r;
        r.settle = new IPetraLedger.Settlement[](1);
        r.settle[0] = IPetraLedger.Settlement(uint32(meter), amount);
        _regulate(r);
        settledNano += amount;
    }

    // --- Notes ---------------------------------------------------------------------------------------------

    function _anyNote(uint256 x) private pure returns (uint256) {
        address owner = VM.addr(OWNER_KEY + x % OWNERS);
        uint256 kind = _bound(x >> 8, 1, 3);
        if (kind == 3) return _word(owner, 3, _bound(x >> 16, 1, 300_000), 0, 0);
        uint256 further = (x >> 32) % 2;
        return _word(owner, kind, _bound(x >> 16, 1, 900), (x >> 40) % (INTERVALS - further), further);
    }

    /// @dev Whether meter and feeder may issue all this, by what the ledger says they issued.
    function _fits(uint256 meter, uint256[] memory words) private view returns (bool) {
        uint256 nano = ledger.meterOutstanding(meter) + _sum(words, 3, 0);
        if (nano > CREDIT && _sum(words, 3, 0) != 0) return false;
        for (uint256 t = 0; t < INTERVALS; ++t) {
            (uint256 epa, uint256 eca) = ledger.meterIssued(meter, t);
            (uint256 allEpa, uint256 allEca) = ledger.feederIssued(FEEDER, t);
            (uint256 newEpa, uint256 newEca) = (_sum(words, 1, t), _sum(words, 2, t));
            if (epa + newEpa > MAX_METER_W || eca + newEca > MAX_METER_W) return false;
            if (allEpa + newEpa > MAX_FEEDER_W || allEca + newEca > MAX_FEEDER_W) return false;
        }
        return true;
    }

    function _sum(uint256[] memory words, uint256 kind, uint256 t) private pure returns (uint256 sum) {
        for (uint256 i = 0; i < words.length; ++i) {
            sum += holds(words[i], kind, t);
        }
    }

    /// What a note holds of a kind in interval `t`; all money in interval 0.
    function holds(uint256 w, uint256 kind, uint256 t) public pure returns (uint256) {
        if (uint8(w >> 88) != kind) return 0;
        if (kind == 3) return t == 0 ? uint64(w) : 0;
        return uint32(w >> 16) <= t && t <= uint256(uint32(w >> 16)) + uint16(w) ? uint32(w >> 48) : 0;
    }

    function _pick(uint256 seed, uint256 n) private view returns (uint256[] memory picks) {
        if (_held.length == 0) return picks;
        picks = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            uint256 place = uint256(keccak256(abi.encode(seed, "pick", i))) % _held.length;
            // Mostly an unspent one that is not picked yet.
            for (uint256 j = 0; j < _held.length && (seed >> 104) % 4 != 0; ++j) {
                bool free = !_held[place].spent;
                for (uint256 k = 0; k < i; ++k) {
                    free = free && picks[k] != place;
                }
                if (free) break;
                place = (place + 1) % _held.length;
            }
            picks[i] = place;
        }
    }

    /// @dev The notes for other owners; those that can be are cut in two.
    function _cut(uint256[] memory picks, uint256 seed) private view returns (uint256[] memory outputs) {
        outputs = new uint256[](2 * picks.length);
        uint256 n = 0;
        for (uint256 i = 0; i < picks.length; ++i) {
            uint256 w = _held[picks[i]].word;
            address to = VM.addr(OWNER_KEY + (seed >> (i + 128)) % OWNERS);
            uint256 kind = uint8(w >> 88);
            uint256 q = kind == 3 ? uint64(w) : uint32(w >> 48);
            (uint256 start, uint256 further) = kind == 3 ? (0, 0) : (uint256(uint32(w >> 16)), uint256(uint16(w)));
            if (further != 0) {
                outputs[n++] = _word(to, kind, q, start, 0);
                outputs[n++] = _word(to, kind, q, start + 1, further - 1);
            } else if (q > 1) {
                outputs[n++] = _word(to, kind, q / 2, start, further);
                outputs[n++] = _word(VM.addr(OWNER_KEY), kind, q - q / 2, start, further);
            } else {
                outputs[n++] = _word(to, kind, q, start, further);
            }
        }
        assembly ("memory-safe") {
            mstore(outputs, n)
        }
    }

    function _keep(bytes32 origin, uint256[] memory words) private {
        for (uint256 i = 0; i < words.length; ++i) {
            (bytes memory path,) = _prove(words, i);
            _held.push(Held(words[i], origin, i, path, false));
        }
    }

    // --- Orders --------------------------------------------------------------------------------------------

    /// @dev Unspent EPA, ECA of the same span, and FA.
    function _match(uint256 seed) private view returns (bool, uint256[3] memory n) {
        (bool a, bool b, bool c) = (false, false, false);
        for (uint256 i = 0; i < _held.length; ++i) {
            uint256 place = (i + seed % _held.length) % _held.length;
            Held storage note = _held[place];
            if (note.spent) continue;
            uint256 kind = uint8(note.word >> 88);
            if (kind == 1 && !a) (a, n[0]) = (true, place);
            if (kind == 3 && !c) (c, n[2]) = (true, place);
        }
        if (!a || !c) return (false, n);
        for (uint256 i = 0; i < _held.length && !b; ++i) {
            uint256 w = _held[i].word;
            if (_held[i].spent || uint8(w >> 88) != 2 || uint48(w) != uint48(_held[n[0]].word)) continue;
            (b, n[1]) = (true, i);
        }
        return (b, n);
    }

    struct Terms {
        uint256 powerW;
        uint256 price;
        uint256 pays;
        uint256 offered;
        bytes32 sell;
        bytes32 buy;
        bytes sellBytes;
        bytes buyBytes;
        bool sellGood;
        bool buyGood;
    }

    function _fill(uint256 seed, uint256[3] memory n)
        private
        view
        returns (bytes memory body, bytes memory paths, bytes32 hash, uint256[] memory made, bool good)
    {
        Terms memory x;
        uint256 most = uint32(_held[n[0]].word >> 48);
        if (uint32(_held[n[1]].word >> 48) < most) most = uint32(_held[n[1]].word >> 48);
        x.powerW = _bound(seed >> 130, 1, most);
        uint256 wh = x.powerW * (uint256(uint16(_held[n[0]].word)) + 1);
        x.offered = uint64(_held[n[2]].word);
        x.price = _bound(seed >> 140, 1, x.offered / wh + 1);
        x.pays = x.price * wh;
        (x.sell, x.sellBytes, x.sellGood) = _order(1, n, x.price, seed >> 64);
        (x.buy, x.buyBytes, x.buyGood) = _order(2, n, x.price, seed >> 72);
        body = abi.encodePacked(uint32(x.powerW), uint64(x.price), x.sellBytes, x.buyBytes);
        paths = bytes.concat(_held[n[0]].path, _held[n[1]].path, _held[n[2]].path);
        hash = _hashFill(x.sell, x.buy, x.powerW, x.price);
        good = x.pays <= x.offered && x.sellGood && x.buyGood;
        if (good) made = _made(x, n);
    }

    function _order(uint8 side, uint256[3] memory n, uint256 price, uint256 seed)
        private
        view
        returns (bytes32 digest, bytes memory body, bool good)
    {
        Order memory o;
        o.side = side;
        Held memory note = _held[n[side - 1]];
        o.energy = keccak256(abi.encode(note.word, note.origin, note.index));
        body = abi.encodePacked(note.word, note.origin, uint16(note.index));
        o.money = new bytes32[](side - 1);
        if (side == 2) {
            Held memory money = _held[n[2]];
            o.money[0] = keccak256(abi.encode(money.word, money.origin, money.index));
            body = abi.encodePacked(body, money.word, money.origin, uint16(money.index));
        }
        bool worse = (seed >> 100) % 16 == 0;
        o.limitNanoPerWh = uint64(side == 1 ? price + (worse ? 1 : 0) : price - (worse ? 1 : 0));
        (o.deliverTo, o.payTo, o.keepAt) = (VM.addr(OWNER_KEY), VM.addr(OWNER_KEY + 1), VM.addr(OWNER_KEY + 2));
        bool late = (seed >> 110) % 16 == 0;
        o.expiresS = uint64(block.timestamp + (late ? 0 : 1));
        digest = _seal(address(ledger), _hashOrder(o));
        uint256[] memory signers = new uint256[](side);
        for (uint256 i = 0; i < side; ++i) {
            signers[i] = n[side - 1 + i];
        }
        bytes memory signatures;
        (signatures, good) = _signAll(signers, digest, seed);
        body = abi.encodePacked(
            abi.encodePacked(o.limitNanoPerWh, o.expiresS, o.leastW, o.nonce, o.deliverTo, o.payTo, o.keepAt),
            uint8(side - 1),
            uint8(signatures.length / 65),
            body,
            signatures
        );
        good = good && !worse && !late;
    }

    /// @dev What the fill creates, in the order of docs/ledger.md.
    function _made(Terms memory x, uint256[3] memory n) private view returns (uint256[] memory made) {
        made = new uint256[](6);
        (uint256 epa, uint256 eca) = (_held[n[0]].word, _held[n[1]].word);
        (uint256 start, uint256 further) = (uint32(epa >> 16), uint16(epa));
        made[0] = _word(VM.addr(OWNER_KEY), 1, x.powerW, start, further);
        made[1] = _word(VM.addr(OWNER_KEY), 2, x.powerW, start, further);
        made[2] = _word(VM.addr(OWNER_KEY + 1), 3, x.pays, 0, 0);
        uint256 k = 3;
        if (x.offered > x.pays) made[k++] = _word(VM.addr(OWNER_KEY + 1), 3, x.offered - x.pays, 0, 0);
        uint256 left = uint32(epa >> 48) - x.powerW;
        if (left != 0) made[k++] = _word(VM.addr(OWNER_KEY + 2), 1, left, start, further);
        left = uint32(eca >> 48) - x.powerW;
        if (left != 0) made[k++] = _word(VM.addr(OWNER_KEY + 2), 2, left, start, further);
        assembly ("memory-safe") {
            mstore(made, k)
        }
    }

    // --- Signatures and calls ------------------------------------------------------------------------------

    /// @dev In three of sixteen cases not what the ledger may accept: high s, a wrong v, another key.
    function _sign(uint256 key, bytes32 digest, uint256 how) internal pure returns (bytes memory, bool) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(how % 16 == 2 ? key + 500 : key, digest);
        if (how % 16 == 0) (v, s) = (55 - v, bytes32(N - uint256(s)));
        if (how % 16 == 1) v -= 27;
        return (abi.encodePacked(r, s, v), how % 16 > 2);
    }

    /// @dev One signature for each run of one owner's notes.
    function _signAll(uint256[] memory picks, bytes32 digest, uint256 how)
        private
        view
        returns (bytes memory signatures, bool good)
    {
        good = true;
        for (uint256 i = 0; i < picks.length; ++i) {
            address owner = address(uint160(_held[picks[i]].word >> 96));
            if (i != 0 && owner == address(uint160(_held[picks[i - 1]].word >> 96))) continue;
            (bytes memory one, bool well) = _sign(_keyOf(owner), digest, how >> (4 * i));
            (signatures, good) = (bytes.concat(signatures, one), good && well);
        }
    }

    function _keyOf(address owner) private pure returns (uint256 key) {
        for (key = OWNER_KEY; VM.addr(key) != owner; ++key) {}
    }

    function _regulate(IPetraLedger.Regulate memory r) private {
        r.nonce = uint64(ledger.regulationNonce());
        bytes[] memory signatures = new bytes[](1);
        (signatures[0],) = _sign(DSO_KEY, _seal(address(ledger), _hashRegulate(r)), 15);
        ledger.regulate(r, signatures);
    }

    function _expect(string memory name, bytes memory call, bool good) private {
        (bool accepted, bytes memory reason) = address(ledger).call(call);
        require(accepted == good, string.concat(name, good ? ": refused" : ": accepted"));
        require(accepted || reason.length >= 4, "refused without a reason");
        verdicts[keccak256(abi.encodePacked(name, good))] += 1;
    }
}
