/** Bugs of what the log does for its closed segments: sealing, scrubbing, retiring, rewriting. */
import type { NamedBug } from '../planted-bug.js'

const SEAL = 'packages/log-core/test/seal.exhaustive.test.ts'
const RETAIN = 'packages/log-core/test/retention.unit.test.ts'
const LIVES = 'packages/log-core/test/retention.property.test.ts'
const ENDED = 'packages/log-core/test/retention.exhaustive.test.ts'
const KEPT = 'packages/log-core/test/kept-frames.property.test.ts'

const LAW = 'a log that lets go what nobody needs rebuilt equals lived'
const POWER = 'ended before every call by power, going on, then a power loss'

const source = (file: string): string => `packages/log-core/src/${file}.ts`

export const upkeepBugs: readonly NamedBug[] = [
  {
    name: 'segment-dropped-while-a-fact-lives-in-it',
    promise: LAW,
    file: source('retention-plan'),
    find: 'if (segment === undefined || segment.end > freeBelow) return false',
    replace: 'if (segment === undefined || freeBelow < 0) return false',
    test: LIVES,
  },
  {
    name: 'segment-dropped-while-a-body-is-needed',
    promise: LAW,
    file: source('retention-plan'),
    find: 'const isUnneeded = segment.end <= lowest.bodies',
    replace: 'const isUnneeded = segment.end > lowest.bodies || lowest.bodies > 0',
    test: LIVES,
  },
  {
    name: 'rewritten-segment-with-a-missing-record',
    promise:
      'kept frames verify, do not overlap, and hold every record that is kept and few others',
    file: source('kept-frames'),
    find: 'if (kept[index] !== true) continue',
    replace: 'if (kept[index] !== true || (index > 1 && kept[index - 1] !== true)) continue',
    test: KEPT,
    seed: 1,
  },
  {
    name: 'stale-frames-left-in-a-recycled-file',
    promise: 'uses a retired file again, with a new generation and nothing of its old frames',
    file: source('segment'),
    find: 'await file.prepare(segment.places.fileBytes + SEAL_BYTES)',
    replace: 'if (spare === undefined) await file.prepare(segment.places.fileBytes + SEAL_BYTES)',
    test: RETAIN,
  },
  {
    name: 'stale-generation-of-a-recycled-file',
    promise: 'uses a retired file again, with a new generation and nothing of its old frames',
    file: source('segments'),
    find: 'const generation = (spare?.generation ?? 0) + 1',
    replace: 'const generation = spare?.generation ?? 1',
    test: RETAIN,
  },
  {
    name: 'file-gone-under-its-reader',
    promise: 'retiring waits for those who read the file, and they read on',
    file: source('retention'),
    find: '      await this.#whenUnused(segment)\n      if (segment.readers > 0) break\n',
    replace: '',
    test: RETAIN,
  },
  {
    name: 'cursor-is-no-need',
    promise: 'keeps what an open cursor has still to read',
    file: source('retention'),
    find: 'const everythingFrom = this.#parts.cursorNeeds()',
    replace: 'const everythingFrom = this.#parts.cursorNeeds() && undefined',
    test: RETAIN,
  },
  {
    name: 'files-gone-before-the-start-is-durable',
    promise: POWER,
    file: source('retention'),
    find: 'if (!this.#isStartSaved) await writeStart(',
    replace: 'if (!this.#isStartSaved) void writeStart(',
    test: ENDED,
  },
  {
    name: 'start-of-the-log-not-synced',
    promise: POWER,
    file: source('log-start'),
    find: '    await file.sync()\n',
    replace: '',
    test: ENDED,
  },
  {
    name: 'rewritten-file-named-before-it-is-durable',
    promise: POWER,
    file: source('rewrite'),
    find: '  await segment.file.sync()\n',
    replace: '',
    test: ENDED,
  },
  {
    name: 'leftover-of-a-retirement-taken-for-a-segment',
    promise: 'retiring ends with the log, also while somebody reads',
    file: source('segment-files'),
    find: 'if (file.base < row.start) {',
    replace: 'if (file.base < 0) {',
    test: RETAIN,
  },
  {
    name: 'scrub-holds-nothing-against-the-seal',
    promise: 'a scrub finds every single flipped bit of a sealed segment',
    file: source('scrub'),
    find: 'if (isSealed && (await contentsOf(segment, paced)) === segment.seal?.contents) {',
    replace: 'if (isSealed && (await contentsOf(segment, paced)) !== undefined) {',
    test: SEAL,
  },
  {
    name: 'lost-segment-behind-a-seal-unnoticed',
    promise: 'a sealed segment whose next one is gone or empty is damage',
    file: source('tail'),
    find: '    if (isClosed(segment)) damage.push(lostNext(found, active))\n',
    replace: '',
    test: SEAL,
  },
]
