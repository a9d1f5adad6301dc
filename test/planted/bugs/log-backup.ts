/** Bugs of looking at a log from outside, of backups and of restores. */
import type { NamedBug } from '../planted-bug.js'

const BACKUP = 'packages/log-core/test/backup.property.test.ts'
const VERIFY = 'packages/log-core/test/verify.property.test.ts'
const source = (file: string): string => `packages/log-core/src/${file}.ts`

export const backupBugs: readonly NamedBug[] = [
  {
    name: 'copies-not-synced',
    promise: 'a backup ended before any call by power is none, or whole',
    file: source('file-copy'),
    find: '    await file.sync()\n',
    replace: '',
    test: BACKUP,
  },
  {
    name: 'backup-of-a-closed-end',
    promise: 'of a killed process: what it had acknowledged last is in it',
    file: source('segment-walk'),
    find: '?.from ?? end\n',
    replace: '?.from ?? Math.min(end, Math.max(watermark, 64)) as Position\n',
    test: BACKUP,
  },
  {
    name: 'restore-trusts-the-copies',
    promise: 'a flipped bit in a backup is refused, and nothing stays where it was to be restored',
    file: source('restore'),
    find: 'if (sha256 === entry.sha256 && bytes === entry.bytes) return',
    replace: 'if (bytes <= entry.bytes) return',
    test: BACKUP,
  },
  {
    name: 'damage-behind-a-gap-not-told',
    promise: 'goes on behind damage: all places are told, and the other records are dumped',
    file: source('segment-walk'),
    find: 'if (found === undefined) break',
    replace: 'if (found?.gap !== undefined || found === undefined) break',
    test: VERIFY,
  },
]
