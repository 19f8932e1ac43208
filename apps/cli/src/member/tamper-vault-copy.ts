import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Gateway, Vault, type VaultFault, verifyVault } from '@careledger/gateway';

/**
 * Copies the vault, checks the copy, flips one byte of one encrypted record in it, and checks again. The vault itself is
 * only read. Names in the outcome are the record's type and id, which say nothing of a patient.
 */
export async function tamperVaultCopy(
  gateway: Gateway,
): Promise<{ readonly whole: number; readonly faults: readonly VaultFault[] }> {
  const { folder, organization, keystore, now } = gateway.context;
  const copy = mkdtempSync(join(tmpdir(), 'careledger-vault-'));
  const path = join(copy, 'vault.sqlite');
  const check = async (): Promise<readonly VaultFault[]> => {
    const vault = await Vault.open({ folder: copy, organization, keystore, now });
    const { faults } = await verifyVault(vault);
    await vault.close();
    return faults;
  };
  try {
    const source = new DatabaseSync(join(folder, 'vault', 'vault.sqlite'), { readOnly: true });
    source.exec(`VACUUM INTO '${path.replaceAll("'", "''")}'`);
    source.close();
    const whole = (await check()).length;
    flipEnvelopeByte(path);
    return { whole, faults: await check() };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function flipEnvelopeByte(path: string): void {
  const database = new DatabaseSync(path);
  const row = database.prepare('select seq, envelope from version order by seq limit 1').get();
  const envelope = Uint8Array.from(row?.envelope as Uint8Array);
  const middle = Math.floor(envelope.length / 2);
  envelope[middle] = (envelope[middle] ?? 0) ^ 0x01;
  database.prepare('update version set envelope = ? where seq = ?').run(envelope, row?.seq as number);
  database.close();
}
