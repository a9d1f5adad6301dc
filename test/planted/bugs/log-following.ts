/** Bugs of those who follow the log and of those who wait for it. */
import type { NamedBug } from '../planted-bug.js'

const CURSORS = 'packages/log-core/test/cursor.property.test.ts'
const WRITES = 'packages/log-core/test/write.unit.test.ts'

const source = (file: string): string => `packages/log-core/src/${file}.ts`

export const followingBugs: readonly NamedBug[] = [
  {
    name: 'cursor-sees-more-than-its-level',
    promise: 'each cursor hands over all that reaches its level, in order, and nothing before',
    file: source('cursor'),
    find: 'this.#bound = readableEnd(this.level)',
    replace: "this.#bound = readableEnd('memory')",
    test: CURSORS,
    seed: 2,
  },
  {
    name: 'sync-that-ends-after-the-failure-counts',
    promise: 'each cursor hands over all that reaches its level, in order, and nothing before',
    file: source('flush'),
    find: '      // As after a write: nothing moves once the instance has failed.\n      if (this.#failure !== undefined) return\n',
    replace: '',
    test: CURSORS,
    seed: 2,
  },
  {
    name: 'writers-without-bound',
    promise: 'a stalled disk never holds more than twice the bound, and no caller is left behind',
    file: source('room-queue'),
    find: 'this.#bytes + bytes > bytesMax',
    replace: 'this.#bytes + bytes < 0',
    test: WRITES,
  },
  {
    name: 'sync-asked-for-comes-with-the-pause',
    promise: 'a sync that is asked for does not wait for a stream of other writes to end',
    file: source('flush'),
    find: '    this.#planProof()\n    this.#syncWanted()\n',
    replace: '    this.#planProof()\n',
    test: WRITES,
  },
]
