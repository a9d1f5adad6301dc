/** Bugs of the log, each with the test of `packages/log-core` whose promise it breaks. */
import type { NamedBug } from '../planted-bug.js'
import { auditingBugs } from './log-auditing.js'
import { followingBugs } from './log-following.js'
import { upkeepBugs } from './log-upkeep.js'

const UNIT = 'packages/log-core/test/log.unit.test.ts'
const LOG = 'packages/log-core/test/log.property.test.ts'
const SAVED_MAP = 'packages/log-core/test/saved-map.property.test.ts'
const FOLDS = 'packages/log-core/test/folds.property.test.ts'
const CRASH = 'packages/log-core/test/crash.exhaustive.test.ts'
const RECOVERY = 'packages/log-core/test/recovery.exhaustive.test.ts'
const DAMAGE = 'packages/log-core/test/damage.property.test.ts'
const MEMORY = 'packages/log-core/test/memory-disk.unit.test.ts'

const source = (file: string): string => `packages/log-core/src/${file}.ts`
const SURVIVES = 'acknowledged frames survive, whole and in order, and the audit is never wrong'
const FLIPPED = 'detects every flipped bit that matters, and hands over nothing that is wrong'

const writing: readonly NamedBug[] = [
  {
    name: 'durable-before-the-write',
    promise: SURVIVES,
    file: source('flush'),
    find: "    hops.reach('log.flush')\n",
    replace:
      "    hops.reach('log.flush')\n    if (!isOnDemand) this.#advanceDurable(position(base + to))\n",
    test: LOG,
  },
  {
    name: 'durable-up-to-the-end-of-the-sync',
    promise: SURVIVES,
    file: source('flush'),
    find: 'this.#advanceDurable(target)',
    replace: 'this.#advanceDurable(this.#written)',
    test: LOG,
  },
  {
    name: 'short-write-not-continued',
    promise: SURVIVES,
    file: source('flush'),
    find: '      this.writes += 1\n',
    replace: '      this.writes += 1\n      break\n',
    test: LOG,
  },
  {
    name: 'sync-tried-again',
    promise: 'rolling, os every sync failing in turn, then a power loss',
    file: source('flush'),
    find: 'await file.sync()',
    replace: 'await file.sync().catch(() => file.sync())',
    test: CRASH,
  },
  {
    name: 'failed-log-takes-appends',
    promise: 'a failed sync is final: no more appends, waiters reject, durable bytes stay readable',
    file: source('log'),
    find: 'if (this.#flush.failure !== undefined) throw this.#flush.failure',
    replace: 'this.#flush.failure?.stack?.at(0)',
    test: UNIT,
  },
  {
    name: 'failed-log-reads-what-is-not-durable',
    promise: 'a failed sync is final: no more appends, waiters reject, durable bytes stay readable',
    file: source('log'),
    find: "return this.#flush.watermark(this.#flush.failure === undefined ? level : 'sync')",
    replace: 'return this.#flush.watermark(level)',
    test: UNIT,
  },
  {
    // What a frame says was durable when the write before its own began, as at its append.
    name: 'watermark-of-the-append',
    promise: 'below the watermark a lost tail is damage, and nothing is touched',
    file: source('flush'),
    find: 'for (let at = from; at < to; at += frameBytes(buffer, at)) sealFrame(buffer, at, this.#durable)',
    replace: `const past = this as unknown as { stamp: Position }
    const stamp = past.stamp ?? this.#durable
    past.stamp = this.#durable
    for (let at = from; at < to; at += frameBytes(buffer, at)) sealFrame(buffer, at, stamp)`,
    test: RECOVERY,
  },
  {
    name: 'segment-begun-before-the-last-is-durable',
    promise: SURVIVES,
    file: source('flush'),
    find: `      if (isOnDemand) await this.#syncFile()
      if (this.#failure !== undefined) return
      assert(this.#durable === this.#written, 'a new segment follows durable bytes')
`,
    replace: '',
    test: LOG,
  },
  {
    name: 'watermark-moves-after-the-failure',
    promise: 'a close after a failure leaves no call on its way',
    file: source('flush'),
    find: '    if (this.#failure !== undefined) return\n    this.bytes += to - from\n',
    replace: '    this.bytes += to - from\n',
    test: UNIT,
  },
  {
    name: 'unwritten-bytes-dropped-from-memory',
    promise: 'reads what is not written yet from memory, however small the cache',
    file: source('gather'),
    find: 'if (oldest === undefined || oldest.written < oldest.used) break',
    replace: 'if (oldest === undefined) break',
    test: UNIT,
  },
  {
    name: 'no-room-not-followed-by-room',
    promise: 'too many bytes in flight say wait, and room is told',
    file: source('log'),
    find: '    this.#isRoomAwaited = true\n    return false\n',
    replace: '    return false\n',
    test: UNIT,
  },
  {
    name: 'wait-not-followed-by-room',
    promise: 'too many bytes in flight say wait, and room is told',
    file: source('log'),
    find: '      this.#isRoomAwaited = true\n      return refusal\n',
    replace: '      return refusal\n',
    test: UNIT,
  },
  {
    name: 'appends-during-a-write-forgotten',
    promise: SURVIVES,
    file: source('flush'),
    find: 'if (gather.nextRegion() === undefined) this.#isBusy = false',
    replace: 'if (gather.inFlightBytes >= 0) this.#isBusy = false',
    test: LOG,
  },
  {
    name: 'waiter-stuck-behind-a-later-one',
    promise: 'a wait for less ends first, whenever it began',
    file: source('waiters'),
    find: 'if (at === this.#queue.length) this.#queue.push(waiter)',
    replace: 'if (at >= 0) this.#queue.push(waiter)',
    test: UNIT,
  },
  {
    name: 'close-leaves-a-write-behind',
    promise: 'a close after a failure leaves no call on its way',
    file: source('log'),
    find: '    await this.#flush.settled()\n',
    replace: '',
    test: UNIT,
  },
  {
    name: 'bytes-in-flight-unbounded',
    promise: 'too many bytes in flight say wait, and room is told',
    file: source('log'),
    find: "if (inFlight > 0 && inFlight + bytes > this.#parts.inFlightBytesMax) return 'wait'",
    replace: "if (inFlight < 0) return 'wait'",
    test: UNIT,
  },
]

const segments: readonly NamedBug[] = [
  {
    name: 'segment-without-its-directory-entry',
    promise: 'rolling, sync ended before every call by power',
    file: source('segment'),
    find: '    await plan.disk.syncDirectory(plan.directory)\n',
    replace: '',
    test: CRASH,
  },
  {
    name: 'segment-used-before-its-zeros',
    promise: 'rolling, os ended before every call by power',
    file: source('segment'),
    find: 'await file.prepare(segment.places.fileBytes + SEAL_BYTES)',
    replace: 'void file.prepare(segment.places.fileBytes + SEAL_BYTES)',
    test: CRASH,
  },
  {
    name: 'entry-found-taken-for-durable',
    promise: 'rolling, os killed before every call, going on, then a power loss',
    file: source('recovery'),
    find: '  await plan.disk.syncDirectory(plan.directory)\n  const durationMs',
    replace: '  const durationMs',
    test: CRASH,
  },
  {
    name: 'preparation-left-behind-by-a-close',
    promise: 'a close while a segment is prepared leaves no call on its way',
    file: source('segments'),
    find: '    await this.#preparing\n',
    replace: '',
    test: UNIT,
  },
  {
    name: 'full-disk-not-tried-again',
    promise: 'a full disk shows as full, and work goes on once there is space',
    file: source('segments'),
    find: '      this.#retry = clock.after(PREPARE_RETRY_MS, () => this.prepare())\n',
    replace: '      clock.after(PREPARE_RETRY_MS, () => undefined)\n',
    test: UNIT,
  },
  {
    name: 'next-segment-forgotten',
    promise: 'also when a roll takes one the moment it is ready',
    file: source('segments'),
    find: `      this.#ready.push(segment)
      // In the same turn: from now on a roll may take it, and asks for the next one.
      this.#preparing = undefined
`,
    replace: `      this.#ready.push(segment)
      await Promise.resolve()
      this.#preparing = undefined
`,
    test: MEMORY,
  },
  {
    name: 'failed-preparation-not-told',
    promise: 'a sync that fails while a segment is prepared ends the log',
    file: source('segments'),
    find: '        onFailure(error)\n',
    replace: '',
    test: UNIT,
  },
  {
    name: 'second-opener-let-in',
    promise: 'is refused to a second opener and free after a close or a kill',
    file: source('open-log'),
    find: 'return await disk.lock(directory)',
    replace:
      'return await disk.lock(directory).catch(() => ({ release: () => Promise.resolve() }))',
    test: UNIT,
  },
  {
    name: 'directory-kept-by-a-failed-opening',
    promise: 'a disk too full for the first segment is DISK_FULL, and leaves the directory free',
    file: source('open-log'),
    find: '    await lock?.release().catch(() => undefined)\n',
    replace: '',
    test: UNIT,
  },
]

const reading: readonly NamedBug[] = [
  {
    name: 'record-read-without-its-checksum',
    promise: 'a record with a flipped bit is refused at its position, the others are not',
    file: source('log-reader'),
    find: '  if (!isRecordValid(block, 0, got, at)) return undefined\n',
    replace: '',
    test: RECOVERY,
  },
  {
    name: 'bodies-scanned-without-their-checksum',
    promise: FLIPPED,
    file: source('frame-format'),
    find: 'if (expected.withBodies && !isRecordValid(source, cursor, end, position)) {',
    replace: 'if (expected.withBodies && position < 0) {',
    test: RECOVERY,
  },
  {
    name: 'frame-without-its-checksum',
    promise: FLIPPED,
    file: source('frame-format'),
    find: 'if (source.readUInt32LE(at + 8) !== checksumOver(source, at, sums)) {',
    replace: 'if (sums < 0) {',
    test: RECOVERY,
  },
  {
    name: 'frames-of-an-earlier-use-taken',
    promise: 'frames of an earlier use of the file are not taken',
    file: source('frame-format'),
    find: 'if (source.readUInt32LE(at + 16) !== expected.generation) {',
    replace: 'if (expected.generation < 0) {',
    test: RECOVERY,
  },
  {
    name: 'frames-of-an-earlier-opening-taken',
    promise: 'a frame that was cut and comes back behind newer ones is not taken',
    file: source('frame-format'),
    find: 'if (frameEpoch(source, at) < expected.epochMin) return',
    replace: 'if (expected.epochMin < 0) return',
    test: RECOVERY,
  },
  {
    name: 'segment-of-an-earlier-opening-taken',
    promise: 'a segment that was cut and comes back after newer frames is not taken',
    file: source('tail'),
    find: 'if (survey.frames > 0 && survey.epoch >= before.epoch) {',
    replace: 'if (survey.frames > 0) {',
    test: RECOVERY,
  },
]

const recovering: readonly NamedBug[] = [
  {
    name: 'garbage-left-behind-the-end',
    promise: 'a hole before a whole frame of the same write is a torn tail, and both go',
    file: source('recovery'),
    find: '  await writeFully(file, Buffer.alloc(survey.bytesBeyond), end)\n',
    replace: '',
    test: RECOVERY,
  },
  {
    name: 'kept-tail-not-written-again',
    promise: 'rolling, sync every sync failing in turn, then a power loss',
    file: source('recovery'),
    find: '    await writeFully(file, block, place)\n',
    replace: '',
    test: CRASH,
  },
  {
    name: 'header-not-written-again',
    promise: 'rolling, sync killed after each failed sync, going on, then a power loss',
    file: source('recovery'),
    find: 'let place = isHeaderProven ? start + (watermark - segment.first) : 0',
    replace: 'let place = start + (isHeaderProven ? watermark - segment.first : 0)',
    test: CRASH,
  },
  {
    name: 'frame-taken-at-a-wrong-place',
    promise: 'a frame that was written to a wrong place is not taken',
    file: source('frame-format'),
    find: 'if (framePosition(source, at) !== expected.position) {',
    replace: 'if (expected.position < 0) {',
    test: RECOVERY,
  },
  {
    name: 'damage-cut-as-a-torn-tail',
    promise: 'below the watermark a lost tail is damage, and nothing is touched',
    file: source('tail'),
    find: 'if (watermark <= survey.end) return []',
    replace: 'if (watermark >= 0) return []',
    test: RECOVERY,
  },
  {
    name: 'evidence-behind-a-hole-ignored',
    promise: 'a hole before a frame of a later write is damage',
    file: source('survey'),
    find: "if ((await judgeLoading(cursor)) !== 'valid') continue",
    replace: 'if (frameWatermark(block, index) >= 0) continue',
    test: RECOVERY,
  },
  {
    name: 'end-of-the-segment-before-unproven',
    promise: 'a lost end of the segment before the last is found at the opening',
    file: source('tail'),
    find: '      damage.push(...unproven(below, before, survey.endBefore))\n',
    replace: '',
    test: RECOVERY,
  },
  {
    name: 'frames-removed-with-a-lost-header',
    promise: 'the newest segment with a wrong header or cut short is damage, and stays',
    file: source('segment-files'),
    find: 'return header === undefined && (await isBlankBehindHeader(file))',
    replace: 'return header === undefined && file.path.length > 0',
    test: RECOVERY,
  },
  {
    name: 'short-segment-taken-for-whole',
    promise: 'the newest segment with a wrong header or cut short is damage, and stays',
    file: source('segment-files'),
    find: 'if (plan !== undefined && bytes < fileBytes) {',
    replace: 'if (plan !== undefined && bytes < SEGMENT_HEADER_BYTES) {',
    test: RECOVERY,
  },
  {
    name: 'impossible-watermark-believed',
    promise: 'a frame that claims more than stood before it is none',
    file: source('frame-format'),
    find: 'if (frameWatermark(source, at) > expected.position) return',
    replace: 'if (frameWatermark(source, at) < 0) return',
    test: RECOVERY,
  },
  {
    name: 'missing-segment-passed-over',
    promise: 'a missing, short or foreign segment is damage',
    file: source('segment-files'),
    find: 'if (hole > 0) this.expect(position(base - this.#segmentBytes))',
    replace: 'if (hole > 0 && this.#segments.length === 0) this.start = base',
    test: RECOVERY,
  },
]

const failing: readonly NamedBug[] = [
  {
    name: 'close-stopped-by-a-handle',
    promise: 'a close in which a call fails gives the directory back all the same',
    file: source('segments'),
    find: 'await Promise.allSettled(segments.map(({ file }) => file.close()))',
    replace: 'for (const { file } of segments) await file.close()',
    test: UNIT,
  },
  {
    name: 'read-error-untyped',
    promise: 'a read that fails in the disk is told as such, and the next one may succeed',
    file: source('segment'),
    find: "throw asLogError(error, file.path.slice(0, file.path.lastIndexOf('/')))",
    replace: 'throw error',
    test: UNIT,
  },
  {
    name: 'watermark-of-a-sync-that-failed',
    promise: 'rolling, os every call failing in turn, then a power loss',
    file: source('flush'),
    find: 'await file.sync()',
    replace: 'await file.sync().catch(() => undefined)',
    test: CRASH,
  },
  {
    name: 'unused-end-of-a-segment-passed-over',
    promise: 'every flipped bit is told, and none is served',
    file: source('segment-check'),
    find: '    if (used < 0) continue\n',
    replace: '    if (used < 0 || used >= 0) continue\n',
    test: DAMAGE,
  },
]

const folding: readonly NamedBug[] = [
  {
    name: 'saved-map-not-copied-before-a-change',
    promise: 'folds rebuilt equals lived',
    file: source('saved-map'),
    find: '    if (this.saving !== undefined) this.changing(key)\n    return super.set',
    replace: '    return super.set',
    test: FOLDS,
  },
  {
    name: 'saved-map-gives-what-changed-meanwhile',
    promise:
      'a saved map gives the moment of the save, for every interleaving of changes and slices',
    file: source('saved-map'),
    find: 'if (!saving.touched.has(key)) slice.push',
    replace: 'slice.push',
    test: SAVED_MAP,
  },
  {
    name: 'checkpoint-trusted-over-the-log',
    promise: 'beyond the log, or not as they were written, are removed and not used',
    file: source('fold-runner'),
    find: "if (at > log.watermark('memory') || at < log.wholeFrom) return false",
    replace: 'if (at < log.wholeFrom) return false',
    test: UNIT,
  },
  {
    name: 'checkpoint-named-before-the-log-is-durable',
    promise: 'get their name only when the log is durable up to their position',
    file: source('checkpoint'),
    find: '    await whenDurable()\n',
    replace: '    void whenDurable()\n',
    test: UNIT,
  },
  {
    name: 'checkpoint-read-without-its-checksum',
    promise: 'folds rebuilt equals lived',
    file: source('checkpoint-format'),
    find: 'if (sum !== source.readUInt32LE(at + 8)) return undefined',
    replace: 'if (sum < 0) return undefined',
    test: FOLDS,
  },
  {
    name: 'incomplete-restatement-trusted',
    promise: 'folds rebuilt equals lived',
    file: source('restatement'),
    find: '        begun.add(record.position)\n',
    replace:
      '        begun.add(record.position)\n        found = { begin: record.position, end: record.position }\n',
    test: FOLDS,
  },
  {
    name: 'stale-slice-restated',
    promise: 'a slice that waited while something changed is not appended any more',
    file: source('restatement'),
    find: "if (restating.log.watermark('memory') !== before) return false",
    replace: 'if (before < 0) return false',
    test: FOLDS,
  },
]

export const logBugs: readonly NamedBug[] = [
  ...writing,
  ...segments,
  ...reading,
  ...recovering,
  ...failing,
  ...folding,
  ...followingBugs,
  ...auditingBugs,
  ...upkeepBugs,
]
