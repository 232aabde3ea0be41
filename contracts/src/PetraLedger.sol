// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Balance} from "./Balance.sol";
import {Calldata} from "./Calldata.sol";
import {Digests} from "./Digests.sol";
import {Groups} from "./Groups.sol";
import {IPetraLedger} from "./IPetraLedger.sol";
import {Notes} from "./Notes.sol";
import {Orders} from "./Orders.sol";
import {Signatures} from "./Signatures.sol";

/// @title The ledger of PETra on an EVM.
/// @dev Sixteen notes share a storage word; who spends one reveals it and proves its place. Checks stand in the order of
/// `assets/rules/`; effects may precede later checks, since a refusal undoes the whole call.
contract PetraLedger is IPetraLedger {
    /// Most inputs, and most outputs, of one transaction.
    uint256 public constant MAX_NOTES = 256;
    /// Most fills of one settlement.
    uint256 public constant MAX_FILLS = 64;
    /// Largest power of a note, a limit, a capacity, in W.
    uint256 public constant MAX_POWER_W = 2 ** 32 - 1;
    /// Most notes that a fill creates.
    uint256 private constant FILL_OUTPUTS = 6;

    uint256 private constant UNKNOWN = 0;
    uint256 private constant UNSPENT = 1;
    uint256 private constant SPENT = 2;

    uint256 private constant SECONDS_PER_HOUR = 3600;
    bytes4 private constant PANIC = 0x4e487b71;

    string private constant NAME = "PETra";
    string private constant VERSION = "1";

    /// @dev Four words; a withdrawal reads the first and writes the second.
    struct MeterAccount {
        /// Zero: not authorised yet.
        address key;
        uint32 feeder;
        bool banned;
        /// When what the DSO ruled for later takes effect; zero: nothing.
        uint40 laterFromS;
        uint64 nonce;
        uint32 maxEpaW;
        uint32 maxEcaW;
        uint64 creditNano;
        uint64 outstandingNano;
        address laterKey;
        bool laterBanned;
        uint32 laterMaxEpaW;
        uint32 laterMaxEcaW;
        uint64 laterCreditNano;
        /// Power issued so far, see {_lane}.
        mapping(uint256 => uint256) issuedW;
    }

    struct FeederAccount {
        uint32 exportW;
        uint32 importW;
        bool recorded;
        uint40 laterFromS;
        uint32 laterExportW;
        uint32 laterImportW;
        /// Power that the feeder's meters issued so far, see {_lane}.
        mapping(uint256 => uint256) issuedW;
    }

    /// Whose signature the first regulatory transaction carries.
    address public immutable founder;
    uint256 public immutable genesisS;
    uint256 public immutable intervalS;
    uint256 private immutable _chainId;
    bytes32 private immutable _separator;

    address public dso;
    uint256 public regulationNonce;
    /// Groups of notes, by the digest that created them plus their number there.
    mapping(bytes32 => uint256) private _groups;
    mapping(uint256 => MeterAccount) private _meters;
    mapping(uint256 => FeederAccount) private _feeders;
    PriceChange[] private _prices;
    /// @inheritdoc IPetraLedger
    mapping(address => uint256) public cancelled;

    /// @param genesisS_ Unix time at which interval 0 starts.
    /// @param intervalS_ length of an interval in seconds, 1 to 86400.
    /// @param dso_ whose signature regulatory transactions carry; not zero, which anybody could "sign" for.
    constructor(uint256 genesisS_, uint256 intervalS_, address dso_) {
        if (dso_ == address(0) || intervalS_ == 0 || intervalS_ > 86_400 || genesisS_ > type(uint64).max) {
            revert BadDeployment();
        }
        (genesisS, intervalS, dso, founder) = (genesisS_, intervalS_, dso_, dso_);
        _chainId = block.chainid;
        _separator = Digests.separator(NAME, VERSION, address(this));
    }

    // --- Transactions --------------------------------------------------------------------------------------

    /// @inheritdoc IPetraLedger
    function withdraw(bytes calldata body) external {
        uint256 pos = Calldata.startOf(body);
        uint256 meter = Calldata.uintAt(pos, 4);
        uint256 nonce = Calldata.uintAt(pos + 4, 8);
        uint256 count = Calldata.uintAt(pos + 16, 2);
        uint256 outputs = pos + 18;
        uint256 signatures = _countSignatures(body, 18 + (count << 5));
        _checkOutputs(outputs, count);
        MeterAccount storage account = _meters[meter];
        _ruleMeter(account);
        address key = account.key;
        if (key == address(0)) revert UnknownMeter(meter);
        if (account.banned) revert MeterBanned(meter);
        if (nonce != account.nonce) revert BadNonce(account.nonce, nonce);
        bytes32 digest = Digests.seal(
            _domainSeparator(), Digests.ofWithdraw(meter, nonce, Calldata.uintAt(pos + 12, 4), outputs, count)
        );
        if (signatures != 1) revert SignatureCount(1, signatures);
        Signatures.check(digest, key, outputs + (count << 5));
        _issue(meter, account, outputs, count);
        _create(digest, outputs, count);
        emit Withdrawn(digest, block.timestamp, body);
    }

    /// @inheritdoc IPetraLedger
    function transact(bytes calldata body, bytes calldata proofs) external {
        uint256 pos = Calldata.startOf(body);
        uint256 inputCount = Calldata.uintAt(pos + 32, 2);
        uint256 outputCount = Calldata.uintAt(pos + 34, 2);
        uint256 inputs = pos + 36;
        uint256 outputs = inputs + inputCount * Orders.INPUT;
        uint256 signatures = _countSignatures(body, outputs + (outputCount << 5) - pos);
        if (inputCount == 0) revert EmptyTransaction();
        if (inputCount > MAX_NOTES) revert TooManyNotes(inputCount, MAX_NOTES);
        _checkOutputs(outputs, outputCount);
        (bytes32[] memory ids, uint256 runs) = _spend(inputs, inputCount, proofs);
        bytes32 digest = Digests.seal(
            _domainSeparator(), Digests.ofTransact(ids, outputs, outputCount, bytes32(Calldata.wordAt(pos)))
        );
        if (signatures != runs) revert SignatureCount(runs, signatures);
        _checkOwners(digest, inputs, inputCount, outputs + (outputCount << 5));
        Balance.check(inputs, inputCount, Orders.INPUT, outputs, outputCount);
        _create(digest, outputs, outputCount);
        emit Transacted(digest, block.timestamp, body);
    }

    /// @inheritdoc IPetraLedger
    /// @dev A fill is a call of its own, so that a refusal undoes what the fill did and nothing else. What all of them
    /// created goes into common groups.
    function settle(bytes calldata body, bytes calldata proofs) external {
        uint256 count = _countFills(body);
        if (count == 0) revert EmptyTransaction();
        if (count > MAX_FILLS) revert TooManyFills(count, MAX_FILLS);
        uint256 hashes;
        assembly ("memory-safe") {
            hashes := mload(0x40)
            mstore(0x40, add(hashes, mul(count, 224)))
        }
        uint256 outputs = hashes + (count << 5);
        (uint256 settled, uint256 fills, uint256 created) = _fillAll(body, proofs, hashes, outputs);
        if (fills == 0) return;
        bytes32 digest = Digests.seal(_domainSeparator(), Digests.ofSettle(hashes, fills));
        Groups.create(_groups, digest, outputs, created);
        emit Settled(digest, block.timestamp, settled, body);
    }

    /// @notice Spends the notes of one fill. Returns, unlike any other function, bare words: the fill's hash, and the
    /// notes it creates, for {settle} to put on the ledger.
    function fill(bytes calldata body, bytes calldata proofs) external {
        if (msg.sender != address(this)) revert OnlyLedger();
        uint256 pos = Calldata.startOf(body);
        (uint256 powerW, uint256 price) = (Calldata.uintAt(pos, 4), Calldata.uintAt(pos + 4, 8));
        bytes32 separator = _domainSeparator();
        Orders.Order memory sell = Orders.read(pos + 12, Orders.SELL, separator);
        Orders.Order memory buy = Orders.read(sell.end, Orders.BUY, separator);
        if (buy.end != pos + body.length) revert Malformed(body.length);
        Orders.check(sell, Notes.EPA, cancelled[Notes.owner(sell.energy)]);
        Orders.check(buy, Notes.ECA, cancelled[Notes.owner(buy.energy)]);
        uint256 proof = Calldata.startOf(proofs);
        proof = _spendOffered(buy, _spendOffered(sell, proof));
        if (proof != Calldata.startOf(proofs) + proofs.length) revert Malformed(proofs.length);
        uint256 proceedsNano = _checkTerms(sell, buy, powerW, price);
        bytes32 hash = Digests.ofFill(sell.digest, buy.digest, powerW, price);
        _returnFill(hash, sell, buy, powerW, proceedsNano);
    }

    /// @inheritdoc IPetraLedger
    function cancel(address owner, uint256 nonces, bytes[] calldata signatures) external {
        if (nonces == 0) revert EmptyTransaction();
        bytes32 digest = Digests.seal(_domainSeparator(), Digests.ofCancel(owner, nonces));
        if (signatures.length != 1) revert SignatureCount(1, signatures.length);
        Signatures.check(digest, owner, signatures[0]);
        cancelled[owner] |= nonces;
        emit Cancelled(digest, block.timestamp, msg.data);
    }

    /// @inheritdoc IPetraLedger
    function regulate(Regulate calldata tx_, bytes[] calldata signatures) external {
        if (tx_.nonce != regulationNonce) revert BadNonce(regulationNonce, tx_.nonce);
        bytes32 digest = Digests.seal(_domainSeparator(), Digests.ofRegulate(tx_));
        uint256 signers = tx_.successor == address(0) ? 1 : 2;
        if (signatures.length != signers) revert SignatureCount(signers, signatures.length);
        Signatures.check(digest, dso, signatures[0]);
        if (signers == 2) Signatures.check(digest, tx_.successor, signatures[1]);
        if (tx_.timeS != 0 && tx_.timeS < block.timestamp) revert TimeInPast(block.timestamp, tx_.timeS);
        ++regulationNonce;
        _setFeeders(tx_.feeders, tx_.timeS);
        _authorise(tx_.authorise, tx_.timeS);
        _ban(tx_.ban, tx_.timeS);
        _settle(tx_.settle);
        _announce(tx_.prices);
        if (signers == 2) dso = tx_.successor;
        emit Regulated(digest, block.timestamp, msg.data);
    }

    /// @inheritdoc IPetraLedger
    /// @dev A refusal always has a reason of at least four bytes. A call without one ran out of gas or was no such
    /// call; a panic would be a defect. Neither is a verdict on the transaction, nor is a malformed encoding.
    function relay(bytes[] calldata calls) external {
        for (uint256 position = 0; position < calls.length; ++position) {
            bytes calldata call = calls[position];
            bytes4 selector = call.length < 4 ? bytes4(0) : bytes4(call[:4]);
            if (
                selector != IPetraLedger.transact.selector && selector != IPetraLedger.withdraw.selector
                    && selector != IPetraLedger.settle.selector && selector != IPetraLedger.cancel.selector
                    && selector != IPetraLedger.regulate.selector
            ) revert NotRelayable(position);
            if (!_delegateToSelf(call)) emit Refused(position, _refusal(position));
        }
    }

    // --- Notes ---------------------------------------------------------------------------------------------

    /// @dev How many signatures follow the first `size` bytes of `body`, which end with the last of them.
    function _countSignatures(bytes calldata body, uint256 size) private pure returns (uint256) {
        if (body.length < size || (body.length - size) % Signatures.SIZE != 0) revert Malformed(size);
        unchecked {
            return (body.length - size) / Signatures.SIZE;
        }
    }

    function _checkOutputs(uint256 outputs, uint256 count) private view {
        if (count == 0) revert EmptyTransaction();
        if (count > MAX_NOTES) revert TooManyNotes(count, MAX_NOTES);
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                Notes.check(Calldata.wordAt(outputs + (i << 5)), i, intervalS);
            }
        }
    }

    /// @dev Marks the inputs spent. Returns their ids, and how many runs of consecutive inputs of one owner there are.
    function _spend(uint256 inputs, uint256 count, bytes calldata proofs)
        private
        returns (bytes32[] memory ids, uint256 runs)
    {
        unchecked {
            uint256 proof = Calldata.startOf(proofs);
            uint256 end = proof + proofs.length;
            ids = new bytes32[](count);
            address last = address(0);
            for (uint256 i = 0; i < count; ++i) {
                uint256 pos = inputs + i * Orders.INPUT;
                uint256 word = Calldata.wordAt(pos);
                bytes32 origin = bytes32(Calldata.wordAt(pos + 32));
                uint256 index = Calldata.uintAt(pos + 64, 2);
                ids[i] = Notes.idOf(word, origin, index);
                proof = Groups.spend(_groups, ids[i], word, origin, index, proof);
                if (Notes.owner(word) != last) ++runs;
                last = Notes.owner(word);
            }
            if (proof != end) revert Malformed(proofs.length);
        }
    }

    /// @dev One signature for each run of consecutive inputs of one owner; the caller has counted them.
    function _checkOwners(bytes32 digest, uint256 inputs, uint256 count, uint256 signature) private pure {
        unchecked {
            address last = address(0);
            for (uint256 i = 0; i < count; ++i) {
                address owner = Notes.owner(Calldata.wordAt(inputs + i * Orders.INPUT));
                if (owner != last) {
                    Signatures.check(digest, owner, signature);
                    signature += Signatures.SIZE;
                }
                last = owner;
            }
        }
    }

    /// @dev Outputs that lie in calldata.
    function _create(bytes32 origin, uint256 outputs, uint256 count) private {
        uint256 words;
        assembly ("memory-safe") {
            words := mload(0x40)
            calldatacopy(words, outputs, shl(5, count))
        }
        Groups.create(_groups, origin, words, count);
    }

    // --- Orders --------------------------------------------------------------------------------------------

    function _countFills(bytes calldata body) private pure returns (uint256 count) {
        unchecked {
            uint256 pos = Calldata.startOf(body);
            uint256 end = pos + body.length;
            for (; pos < end; ++count) {
                pos += 2 + Calldata.uintAt(pos, 2);
            }
            if (pos != end) revert Malformed(body.length);
        }
    }

    /// @dev Tries all fills, one after the other. The hashes of those that settled go into memory from `hashes` on, the
    /// notes they create from `outputs` on; `settled` has a bit for each of them.
    function _fillAll(bytes calldata body, bytes calldata proofs, uint256 hashes, uint256 outputs)
        private
        returns (uint256 settled, uint256 fills, uint256 created)
    {
        unchecked {
            uint256 pos = 0;
            uint256 proof = 0;
            for (uint256 position = 0; pos < body.length; ++position) {
                bytes calldata one = _slice(body, pos);
                bytes calldata path = _slice(proofs, proof);
                pos += 2 + one.length;
                proof += 2 + path.length;
                if (!_callFill(one, path)) {
                    emit FillRefused(position, _refusal(position));
                    continue;
                }
                settled |= 1 << position;
                assembly ("memory-safe") {
                    returndatacopy(add(hashes, shl(5, fills)), 0, 0x20)
                    let size := sub(returndatasize(), 0x20)
                    returndatacopy(add(outputs, shl(5, created)), 0x20, size)
                    created := add(created, shr(5, size))
                }
                ++fills;
            }
            if (proof != proofs.length) revert Malformed(proofs.length);
        }
    }

    /// @dev The byte string at `pos`, which its length precedes in two bytes.
    function _slice(bytes calldata data, uint256 pos) private pure returns (bytes calldata) {
        uint256 first = pos + 2;
        if (first > data.length) revert Malformed(pos);
        uint256 end = first + Calldata.uintAt(Calldata.startOf(data) + pos, 2);
        if (end > data.length) revert Malformed(pos);
        return data[first:end];
    }

    /// @dev Marks the notes of an order spent; `proof` is where their paths begin, the result where they end.
    function _spendOffered(Orders.Order memory order, uint256 proof) private returns (uint256) {
        unchecked {
            for (uint256 i = 0; i < order.ids.length; ++i) {
                uint256 pos = order.notes + i * Orders.INPUT;
                proof = Groups.spend(
                    _groups,
                    order.ids[i],
                    Calldata.wordAt(pos),
                    bytes32(Calldata.wordAt(pos + 32)),
                    Calldata.uintAt(pos + 64, 2),
                    proof
                );
            }
            return proof;
        }
    }

    /// @dev `assets/rules/settle.py`, `check_fill`, from the spans on. Returns what the buyer pays, in nano-units.
    function _checkTerms(Orders.Order memory sell, Orders.Order memory buy, uint256 powerW, uint256 price)
        private
        view
        returns (uint256 proceedsNano)
    {
        unchecked {
            if ((sell.energy ^ buy.energy) & Notes.SPAN_MASK != 0) revert SpanMismatch(sell.digest, buy.digest);
            if (powerW * intervalS % SECONDS_PER_HOUR != 0) revert FractionalPower(0, powerW);
            _checkSize(sell, powerW);
            _checkSize(buy, powerW);
            if (price < sell.limit) revert PriceLimit(sell.digest, sell.limit, price);
            if (price > buy.limit) revert PriceLimit(buy.digest, buy.limit, price);
            uint256 intervals = uint256(uint16(sell.energy)) + 1;
            proceedsNano = price * (powerW * intervalS / SECONDS_PER_HOUR) * intervals;
            uint256 offeredNano = Orders.offered(buy);
            if (proceedsNano > offeredNano) revert Unfunded(buy.digest, proceedsNano, offeredNano);
        }
    }

    function _checkSize(Orders.Order memory order, uint256 powerW) private pure {
        uint256 mostW = Notes.quantity(order.energy);
        if (powerW == 0 || powerW > mostW || (powerW < order.leastW && powerW < mostW)) {
            revert FillSize(order.digest, order.leastW, mostW, powerW);
        }
    }

    /// @dev Ends the call with the words of {fill}. Only owners and amounts are left to check: `Fill.outputs`.
    function _returnFill(
        bytes32 hash,
        Orders.Order memory sell,
        Orders.Order memory buy,
        uint256 powerW,
        uint256 proceedsNano
    ) private pure {
        unchecked {
            uint256 span = sell.energy & Notes.SPAN_MASK;
            uint256 changeNano = Orders.offered(buy) - proceedsNano;
            uint256 sellLeftW = Notes.quantity(sell.energy) - powerW;
            uint256 buyLeftW = Notes.quantity(buy.energy) - powerW;
            uint256[] memory words = new uint256[](1 + FILL_OUTPUTS);
            words[0] = uint256(hash);
            words[1] = _note(0, buy.deliverTo, Notes.EPA, powerW, span);
            words[2] = _note(1, sell.deliverTo, Notes.ECA, powerW, span);
            words[3] = _note(2, sell.payTo, Notes.FA, proceedsNano, 0);
            uint256 notes = 3;
            if (changeNano != 0) {
                words[notes + 1] = _note(notes, buy.payTo, Notes.FA, changeNano, 0);
                ++notes;
            }
            if (sellLeftW != 0) {
                words[notes + 1] = _note(notes, sell.keepAt, Notes.EPA, sellLeftW, span);
                ++notes;
            }
            if (buyLeftW != 0) {
                words[notes + 1] = _note(notes, buy.keepAt, Notes.ECA, buyLeftW, span);
                ++notes;
            }
            assembly ("memory-safe") {
                return(add(words, 0x20), shl(5, add(notes, 1)))
            }
        }
    }

    /// @dev A note that a fill creates, in bounds if its amount is.
    function _note(uint256 index, address owner, uint256 kind, uint256 powerOrAmount, uint256 span)
        private
        pure
        returns (uint256)
    {
        if (owner == address(0)) revert ZeroOwner(index);
        if (powerOrAmount == 0 || powerOrAmount > Notes.MAX_QUANTITY) revert BadQuantity(index, powerOrAmount);
        return Notes.pack(owner, kind, powerOrAmount, span);
    }

    // --- Limits --------------------------------------------------------------------------------------------

    /// @dev What a withdrawal is held against, read once.
    struct Limits {
        uint256 meter;
        uint256 feeder;
        /// By kind: EPA, ECA.
        uint256[3] meterW;
        uint256[3] feederW;
    }

    /// @dev Adds the notes to the sums of the meter and its feeder; refuses the first that exceeds a limit.
    function _issue(uint256 meter, MeterAccount storage account, uint256 outputs, uint256 count) private {
        unchecked {
            FeederAccount storage feeder = _feeders[account.feeder];
            _ruleFeeder(feeder);
            Limits memory limits;
            (limits.meter, limits.feeder) = (meter, account.feeder);
            (limits.meterW[Notes.EPA], limits.meterW[Notes.ECA]) = (account.maxEpaW, account.maxEcaW);
            (limits.feederW[Notes.EPA], limits.feederW[Notes.ECA]) = (feeder.exportW, feeder.importW);
            uint256 creditNano = account.creditNano;
            uint256 outstandingNano = account.outstandingNano;
            for (uint256 i = 0; i < count; ++i) {
                uint256 word = Calldata.wordAt(outputs + (i << 5));
                if (Notes.kind(word) == Notes.FA) {
                    outstandingNano += uint64(word);
                    if (outstandingNano > creditNano) revert CreditLimit(meter, creditNano, outstandingNano);
                } else {
                    _issueEnergy(limits, account.issuedW, feeder.issuedW, word);
                }
            }
            (account.outstandingNano, account.nonce) = (uint64(outstandingNano), account.nonce + 1);
        }
    }

    function _issueEnergy(
        Limits memory limits,
        mapping(uint256 => uint256) storage byMeterW,
        mapping(uint256 => uint256) storage byFeederW,
        uint256 word
    ) private {
        unchecked {
            uint256 kind = Notes.kind(word);
            uint256 powerW = uint32(word >> 48);
            uint256 end = Notes.end(word);
            for (uint256 t = Notes.start(word); t <= end; ++t) {
                uint256 wouldBeW = _add(byMeterW, kind, t, powerW);
                if (wouldBeW > limits.meterW[kind]) {
                    revert MeterLimit(limits.meter, kind, t, limits.meterW[kind], wouldBeW);
                }
                wouldBeW = _add(byFeederW, kind, t, powerW);
                if (wouldBeW > limits.feederW[kind]) {
                    revert FeederLimit(limits.feeder, kind, t, limits.feederW[kind], wouldBeW);
                }
            }
        }
    }

    /// @dev Adds to a sum and returns it. The caller refuses a sum above a limit, and limits have 32 bits, so that what
    /// stays stored fits; a sum that does not fit is cut off, and then undone by that refusal.
    function _add(mapping(uint256 => uint256) storage issuedW, uint256 kind, uint256 t, uint256 powerW)
        private
        returns (uint256 sumW)
    {
        unchecked {
            (uint256 slot, uint256 shift) = _lane(kind, t);
            uint256 word = issuedW[slot];
            uint256 oldW = uint32(word >> shift);
            sumW = oldW + powerW;
            issuedW[slot] = word ^ ((oldW ^ uint256(uint32(sumW))) << shift);
        }
    }

    /// @dev One word holds eight sums of 32 bits: EPA and ECA of four intervals.
    function _lane(uint256 kind, uint256 t) private pure returns (uint256 slot, uint256 shift) {
        return (t >> 2, ((t & 3) << 6) | ((kind & 2) << 4));
    }

    function _issued(mapping(uint256 => uint256) storage issuedW, uint256 t) private view returns (uint256, uint256) {
        (uint256 slot, uint256 epa) = _lane(Notes.EPA, t);
        (, uint256 eca) = _lane(Notes.ECA, t);
        return (uint32(issuedW[slot] >> epa), uint32(issuedW[slot] >> eca));
    }

    // --- Regulation ----------------------------------------------------------------------------------------

    /// @dev Puts in force what the DSO ruled for a time that has come.
    function _ruleMeter(MeterAccount storage account) private {
        if (account.laterFromS == 0 || account.laterFromS > block.timestamp) return;
        (account.key, account.banned, account.laterFromS) = (account.laterKey, account.laterBanned, 0);
        (account.maxEpaW, account.maxEcaW, account.creditNano) =
            (account.laterMaxEpaW, account.laterMaxEcaW, account.laterCreditNano);
    }

    /// @dev As {_ruleMeter}.
    function _ruleFeeder(FeederAccount storage account) private {
        if (account.laterFromS == 0 || account.laterFromS > block.timestamp) return;
        (account.exportW, account.importW, account.laterFromS) = (account.laterExportW, account.laterImportW, 0);
    }

    function _setFeeders(FeederCapacity[] calldata capacities, uint40 timeS) private {
        for (uint256 i = 0; i < capacities.length; ++i) {
            FeederCapacity calldata c = capacities[i];
            if (c.exportW > MAX_POWER_W || c.importW > MAX_POWER_W) revert BadCapacity(c.feeder);
            FeederAccount storage account = _feeders[c.feeder];
            _ruleFeeder(account);
            account.recorded = true;
            if (timeS <= block.timestamp) {
                (account.exportW, account.importW, account.laterFromS) = (uint32(c.exportW), uint32(c.importW), 0);
            } else {
                (account.laterExportW, account.laterImportW, account.laterFromS) =
                    (uint32(c.exportW), uint32(c.importW), timeS);
            }
        }
    }

    function _authorise(Authorisation[] calldata grants, uint40 timeS) private {
        for (uint256 i = 0; i < grants.length; ++i) {
            Authorisation calldata grant = grants[i];
            if (
                grant.key == address(0) || grant.maxEpaW > MAX_POWER_W || grant.maxEcaW > MAX_POWER_W
                    || grant.creditNano > Notes.MAX_QUANTITY
            ) revert BadGrant(grant.meter);
            if (!_feeders[grant.feeder].recorded) revert UnknownFeeder(grant.feeder);
            MeterAccount storage account = _meters[grant.meter];
            if (_isKnown(account) && account.feeder != grant.feeder) {
                revert FeederFixed(grant.meter, account.feeder);
            }
            _ruleMeter(account);
            account.feeder = grant.feeder;
            if (timeS <= block.timestamp) {
                (account.key, account.banned, account.laterFromS) = (grant.key, false, 0);
                (account.maxEpaW, account.maxEcaW, account.creditNano) =
                    (uint32(grant.maxEpaW), uint32(grant.maxEcaW), grant.creditNano);
            } else {
                (account.laterKey, account.laterBanned, account.laterFromS) = (grant.key, false, timeS);
                (account.laterMaxEpaW, account.laterMaxEcaW, account.laterCreditNano) =
                    (uint32(grant.maxEpaW), uint32(grant.maxEcaW), grant.creditNano);
            }
        }
    }

    /// @dev A ban keeps what was ruled last, in force or not, and bans it.
    function _ban(uint32[] calldata meters, uint40 timeS) private {
        for (uint256 i = 0; i < meters.length; ++i) {
            MeterAccount storage account = _meters[meters[i]];
            if (!_isKnown(account)) revert UnknownMeter(meters[i]);
            bool pending = account.laterFromS != 0;
            if (timeS <= block.timestamp) {
                if (pending) account.laterFromS = 1;
                _ruleMeter(account);
                account.banned = true;
            } else {
                _ruleMeter(account);
                if (account.laterFromS == 0) {
                    account.laterKey = account.key;
                    (account.laterMaxEpaW, account.laterMaxEcaW, account.laterCreditNano) =
                        (account.maxEpaW, account.maxEcaW, account.creditNano);
                }
                (account.laterBanned, account.laterFromS) = (true, timeS);
            }
        }
    }

    function _isKnown(MeterAccount storage account) private view returns (bool) {
        return account.key != address(0) || account.laterFromS != 0;
    }

    function _settle(Settlement[] calldata settlements) private {
        for (uint256 i = 0; i < settlements.length; ++i) {
            (uint32 meter, uint64 amountNano) = (settlements[i].meter, settlements[i].amountNano);
            MeterAccount storage account = _meters[meter];
            if (!_isKnown(account)) revert UnknownMeter(meter);
            uint64 outstandingNano = account.outstandingNano;
            if (amountNano == 0 || amountNano > outstandingNano) {
                revert BadSettlement(meter, outstandingNano, amountNano);
            }
            account.outstandingNano = outstandingNano - amountNano;
        }
    }

    function _announce(PriceChange[] calldata prices) private {
        for (uint256 i = 0; i < prices.length; ++i) {
            (uint256 consumption, uint256 production) =
                (prices[i].consumptionNanoPerWh, prices[i].productionNanoPerWh);
            uint256 highest = consumption > production ? consumption : production;
            if (highest > Notes.MAX_QUANTITY) revert BadPrice(highest);
            if (consumption < production) revert PriceInversion(consumption, production);
            if (prices[i].timeS < block.timestamp) revert TimeInPast(block.timestamp, prices[i].timeS);
            _prices.push(prices[i]);
        }
    }

    // --- Signatures ----------------------------------------------------------------------------------------

    /// @dev After a fork of the chain the old separator would serve both branches; then it is computed anew.
    function _domainSeparator() private view returns (bytes32) {
        return block.chainid == _chainId ? _separator : Digests.separator(NAME, VERSION, address(this));
    }

    // --- Calls of itself -----------------------------------------------------------------------------------

    /// @dev Reuses the free memory of every call: a relay of many would otherwise pay for all of them at once.
    function _delegateToSelf(bytes calldata call) private returns (bool accepted) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            calldatacopy(buffer, call.offset, call.length)
            accepted := delegatecall(gas(), address(), buffer, call.length, 0, 0)
        }
    }

    /// @dev A call, so that {fill} knows who calls. Reuses the free memory of every fill.
    function _callFill(bytes calldata one, bytes calldata path) private returns (bool accepted) {
        bytes4 selector = this.fill.selector;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            let paths := add(and(add(one.length, 31), not(31)), 0x60)
            mstore(buffer, selector)
            mstore(add(buffer, 0x04), 0x40)
            mstore(add(buffer, 0x24), paths)
            mstore(add(buffer, 0x44), one.length)
            calldatacopy(add(buffer, 0x64), one.offset, one.length)
            let pos := add(add(buffer, 0x04), paths)
            mstore(pos, path.length)
            calldatacopy(add(pos, 0x20), path.offset, path.length)
            let size := add(add(0x24, paths), path.length)
            accepted := call(gas(), address(), 0, buffer, size, 0, 0)
        }
    }

    /// @dev Why the call just made was refused; reverts if it was not judged at all.
    function _refusal(uint256 position) private pure returns (bytes memory reason) {
        assembly ("memory-safe") {
            reason := mload(0x40)
            let size := returndatasize()
            mstore(reason, size)
            returndatacopy(add(reason, 0x20), 0, size)
            mstore(0x40, add(reason, and(add(size, 0x3f), not(0x1f))))
        }
        bytes4 selector = bytes4(reason);
        if (
            reason.length < 4 || selector == PANIC || selector == Malformed.selector || selector == RelayFailed.selector
        ) revert RelayFailed(position);
    }

    // --- Views ---------------------------------------------------------------------------------------------

    /// @inheritdoc IPetraLedger
    function status(uint256 word, bytes32 origin, uint16 index, bytes calldata proof) external view returns (uint8) {
        (uint256 root, uint256 place, uint256 next) = Groups.climb(word, index, Calldata.startOf(proof));
        if (next != Calldata.startOf(proof) + proof.length) revert Malformed(proof.length);
        uint256 group = _groups[bytes32(uint256(origin) + index / Groups.SIZE)];
        if (group == 0 || (group ^ root) >> 16 != 0) return uint8(UNKNOWN);
        return uint8((group >> place) & 1 == 0 ? UNSPENT : SPENT);
    }

    /// @inheritdoc IPetraLedger
    function meterNonce(uint256 meter) external view returns (uint256) {
        return _meters[meter].nonce;
    }

    /// @inheritdoc IPetraLedger
    function priceAt(uint256 t) external view returns (PriceChange memory price, bool recorded) {
        uint256 startS = genesisS + t * intervalS;
        for (uint256 i = _prices.length; i != 0; --i) {
            if (_prices[i - 1].timeS <= startS) return (_prices[i - 1], true);
        }
    }

    /// @inheritdoc IPetraLedger
    function meterLimits(uint32 meter) external view returns (Authorisation memory grant, bool banned) {
        MeterAccount storage account = _meters[meter];
        if (account.laterFromS != 0 && account.laterFromS <= block.timestamp) {
            grant = Authorisation(
                meter,
                account.laterKey,
                account.feeder,
                account.laterMaxEpaW,
                account.laterMaxEcaW,
                account.laterCreditNano
            );
            return (grant, account.laterBanned);
        }
        grant = Authorisation(
            meter, account.key, account.feeder, account.maxEpaW, account.maxEcaW, account.creditNano
        );
        banned = account.banned;
    }

    /// @inheritdoc IPetraLedger
    function meterIssued(uint256 meter, uint256 t) external view returns (uint256 epaW, uint256 ecaW) {
        return _issued(_meters[meter].issuedW, t);
    }

    /// @inheritdoc IPetraLedger
    function meterOutstanding(uint256 meter) external view returns (uint256) {
        return _meters[meter].outstandingNano;
    }

    /// @inheritdoc IPetraLedger
    function feederCaps(uint32 feeder) external view returns (FeederCapacity memory capacity, bool recorded) {
        FeederAccount storage account = _feeders[feeder];
        bool later = account.laterFromS != 0 && account.laterFromS <= block.timestamp;
        capacity = later
            ? FeederCapacity(feeder, account.laterExportW, account.laterImportW)
            : FeederCapacity(feeder, account.exportW, account.importW);
        recorded = account.recorded;
    }

    /// @inheritdoc IPetraLedger
    function feederIssued(uint256 feeder, uint256 t) external view returns (uint256 epaW, uint256 ecaW) {
        return _issued(_feeders[feeder].issuedW, t);
    }

    /// @inheritdoc IPetraLedger
    function eip712Domain()
        external
        view
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory)
    {
        return (0x0f, NAME, VERSION, block.chainid, address(this), bytes32(0), new uint256[](0));
    }
}
