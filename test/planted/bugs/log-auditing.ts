/** Bugs of the audit and of the accounts that it asks. */
import type { NamedBug } from '../planted-bug.js'

const UNIT = 'packages/log-core/test/log.unit.test.ts'
const DISK = 'packages/log-core/test/disk.contract.test.ts'

const source = (file: string): string => `packages/log-core/src/${file}.ts`

export const auditingBugs: readonly NamedBug[] = [
  {
    name: 'audit-answers-from-the-watermark',
    promise: 'the audit answers from the account of the disk, whatever the watermarks say',
    file: source('log'),
    find: "return placeOfEnd(segment, end) <= (level === 'os' ? file.writtenEnd : file.syncedEnd)",
    replace:
      'return end <= this.watermark(level) && placeOfEnd(segment, end) <= file.size.length + end',
    test: UNIT,
  },
  {
    name: 'zeros-counted-as-written',
    promise:
      "the machine's disk is a Disk counts what is written and what is durable from completed calls",
    file: source('node/disk-node'),
    find: 'prepare: (bytes) => fillWithZeros(path, bytes),',
    replace: 'prepare: (bytes) => fillWithZeros(path, bytes).then(() => account.wrote(0, bytes)),',
    test: DISK,
  },
  {
    name: 'gap-counted-as-written',
    promise:
      'the simulated disk is a Disk counts what is written and what is durable from completed calls',
    file: source('write-account'),
    find: 'if (at > writtenEnd) {',
    replace: 'if (at < 0) {',
    test: DISK,
  },
]
