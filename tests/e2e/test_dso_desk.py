"""The desk's commands on a real node: nothing is regulated without approvals."""

from typer.testing import CliRunner

from dso.desk import keystore
from petra.cli import app


def dso(*args, passphrase="correct horse"):
    return CliRunner().invoke(app, ["dso", *map(str, args)], env={"PETRA_DSO_PASSPHRASE": passphrase})


def test_a_proposal_without_its_approvals_is_not_released_and_the_audit_knows_all_that_was(
    tmp_path, anvil_url, monkeypatch
):
    monkeypatch.setattr(keystore, "SCRYPT_N", 2)
    desk = ("--desk", tmp_path / "desk")
    addresses = [dso("key", tmp_path / f"approver{i}.json").stdout.strip() for i in range(2)]
    made = dso("init", *desk, "--node", anvil_url, "--required", 2, *(x for a in addresses for x in ("--approver", a)))
    assert made.exit_code == 0, made.output
    assert "2 approvals are needed" in dso("limits", "3:4000:6000", *desk).output
    (proposal,) = (tmp_path / "desk" / "proposals").glob("*.json")
    stranger = dso("approve", proposal, "--keystore", tmp_path / "desk" / "dso.json", *desk)
    assert (stranger.exit_code, "no approver's" in stranger.output) == (2, True)
    for i in range(2):
        refused = dso("release", proposal, *desk)
        assert refused.exit_code == 2
        assert f"{i} of 2 approvals" in refused.output
        assert "0 on the ledger" in dso("audit", *desk).output
        approved = dso("approve", proposal, "--keystore", tmp_path / f"approver{i}.json", *desk)
        assert approved.exit_code == 0, approved.output
    assert "released" in dso("release", proposal, *desk).output
    assert "1 on the ledger" in dso("audit", *desk).output


def test_a_mistyped_passphrase_at_a_rotation_leaves_the_desk_as_it_was(tmp_path, anvil_url, monkeypatch):
    monkeypatch.setattr(keystore, "SCRYPT_N", 2)
    desk = ("--desk", tmp_path / "desk")
    assert dso("init", *desk, "--node", anvil_url).exit_code == 0
    assert (tmp_path / "desk").stat().st_mode & 0o077 == 0  # bills are nobody else's business
    assert "not its passphrase" in dso("rotate", *desk, passphrase="correct house").output
    assert dso("limits", "3:4000:6000", *desk).output == "1 feeders limited\n"
    assert "the DSO's key is now" in dso("rotate", *desk).output
    assert dso("limits", "3:4000:7000", *desk).exit_code == 0
    (tmp_path / "desk" / "tokens.json").write_text("[]")
    assert "delete it: the service then makes fresh tokens" in dso("serve", *desk).output
