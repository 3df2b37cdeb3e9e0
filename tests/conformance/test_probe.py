import pytest, time
from tests.support.doors import *
pytestmark = pytest.mark.anyio
async def test_a(ledger):
    """x"""
    await fund(ledger,"wallets:a",5)
    assert await available(ledger,"wallets:a")==5
@pytest.mark.parametrize("body", [
 b'{"debit_account":"cash","credit_account":"wallets:a","amount_minor":1,"\\ud800":1}',
 b'{"debit_account":"cash","credit_account":"wallets:a","amount_minor":1,"metadata":{"\\ud800":"1"}}',
 b'{"debit_account":"cash","credit_account":"wallets:a","amount_minor":1,"metadata":{"\\ud800":1}}',
 b'{"debit_account":"cash","credit_account":"wallets:a","amount_minor":1,"metadata":{"a":"\\ud800"}}',
 b'{"debit_account":"\\ud800","credit_account":"wallets:a","amount_minor":1}',
 b'{"debit_account":"cash","credit_account":"wallets:a","amount_minor":"\\ud800"}',
 b'{"debit_account":"cash","credit_account":"wallets:a","amount_minor":'+b"9"*5000+b'}',
 b'['*100000,
 b'{"debit_account":"cash","credit_account":"wallets:a","amount_minor":NaN}',
 b'{"debit_account":"cash","credit_account":"wallets:a","amount_minor":1e400}',
])
async def test_b(wire, body):
    """x"""
    r = await wire.post("/transfers", body)
    print(body[:100], r.status_code, r.text[:300])
    r = await wire.post("/batches", b'{"commands":[{"kind":"transfer",'+body[1:]+b']}')
    print("   batch", r.status_code, r.text[:300])
