/**
 * Bugs of the event store and of the broker's streams, each with the test whose promise it breaks:
 * `promise` is the end of that test's full name.
 */
import type { NamedBug } from '../planted-bug.js'

const store = (file: string): string => `packages/event-store/src/${file}.ts`
const broker = (file: string): string => `packages/broker/src/${file}.ts`
const inStore = (name: string): string => `packages/event-store/test/${name}.test.ts`
const BROKER_CONTRACT = inStore('broker.contract')
const FOLLOWING = inStore('following.property')
const PROJECTOR = inStore('projector.unit')
const BROKER_STREAMS = 'packages/broker/test/streams.unit.test.ts'
const NO_GAP = 'readers skip nothing and repeat nothing, and rows are the fold of all events'
const LINEARIZABLE = 'appends with expected versions are linearizable under crashes'

const appending: readonly NamedBug[] = [
  {
    name: 'exists-not-checked',
    promise: 'broker: `exists` refuses an empty stream and takes any other',
    file: broker('appends'),
    find: "  if (expected === 'exists') return actual > 0\n",
    replace: "  if (expected === 'exists') return true\n",
    test: BROKER_CONTRACT,
  },
  {
    name: 'appends-of-one-change-blind',
    promise: 'broker: appends of one change to one stream see each other',
    file: broker('appends'),
    find: '    return moved ?? this.core.state.streams.version(append.category, append.stream)',
    replace: '    return this.core.state.streams.version(append.category, append.stream) ?? moved',
    test: BROKER_CONTRACT,
  },
  {
    name: 'own-append-taken-for-a-conflict',
    promise: 'is not taken for a conflict with itself',
    file: store('broker-events'),
    find: "      if ('unknown' in outcome) lost = outcome.unknown\n",
    replace: '',
    test: inStore('broker-events.unit'),
  },
  {
    name: 'version-off-by-one-after-a-loss',
    promise: LINEARIZABLE,
    file: store('broker-events'),
    find: '    const version = streamVersion(base + count)\n',
    replace: '    const version = streamVersion(found.version)\n',
    test: inStore('linearizable.property'),
  },
  {
    name: 'acknowledgement-left-out',
    promise: 'is one write',
    file: broker('requests/commit'),
    find: '  for (const fact of acknowledged.facts) drafts.push(ackDraft(fact))\n',
    replace:
      '  if (request.appends.length === 0)\n' +
      '    for (const fact of acknowledged.facts) drafts.push(ackDraft(fact))\n',
    test: inStore('atomically.exhaustive'),
  },
  {
    name: 'key-forgotten-at-restart',
    promise: 'keys and closed streams outlive a restate and crash',
    file: broker('folds/commit-keys'),
    find: '    commitKeyDraft(fact, fact.position),\n',
    replace: "    commitKeyDraft({ ...fact, key: '' }, fact.position),\n",
    test: BROKER_STREAMS,
  },
  {
    name: 'key-not-looked-up',
    promise: 'broker: a key lets the same append in once and answers alike',
    file: broker('requests/commit'),
    find: '  if (before !== undefined) return repeated(call, before)\n',
    replace: '',
    test: BROKER_CONTRACT,
  },
  {
    name: 'command-refused-for-what-it-did',
    promise: 'broker: a command under a key is done once, and not refused for what it did',
    file: store('repository'),
    find: '      if (!hasEvents(outcome) && key !== undefined && (await',
    replace: '      if (hasEvents(outcome) && key !== undefined && (await',
    test: BROKER_CONTRACT,
  },
  {
    name: 'plain-send-into-an-event-topic',
    promise: 'come from appends alone: whatever else would send to their topic is refused',
    file: broker('admit'),
    find: '  if (topic.kind !== kind) {\n',
    replace: "  if (topic.kind !== kind && kind === 'event') {\n",
    test: inStore('events-as-messages.contract'),
  },
]

const releasing: readonly NamedBug[] = [
  {
    name: 'released-without-its-events',
    promise: 'is let back in beside a runner, with all that was left out; rows in streams',
    file: store('release-stream'),
    find: '          keys.add(key)\n',
    replace: '',
    test: PROJECTOR,
  },
  {
    name: 'released-and-parked-again-by-a-runner',
    promise: 'in memory: a checkpoint at the same place with other parked streams is another one',
    file: store('memory-rows'),
    find: '!isDeepStrictEqual(this.#checkpoints.get(part), before)',
    replace: 'this.#checkpoints.get(part)?.next !== before?.next',
    test: inStore('rows.contract'),
  },
]

const reading: readonly NamedBug[] = [
  {
    name: 'rewritten-without-an-event',
    promise: NO_GAP,
    file: 'packages/log-core/src/rewrite.ts',
    find: '      if (options.groupBy === undefined) await writer.add(frame)\n',
    replace:
      '      if (options.groupBy === undefined) {\n' +
      '        if (frame.position % 5 !== 0) await writer.add(frame)\n' +
      '      }\n',
    test: FOLLOWING,
  },
  {
    name: 'reader-past-the-page',
    promise: NO_GAP,
    file: broker('requests/read-events'),
    find: 'positions.length >= bounds.count && last',
    replace: 'positions.length > bounds.count && last',
    test: FOLLOWING,
  },
  {
    name: 'reader-sees-what-is-not-safe',
    promise: NO_GAP,
    file: broker('requests/read-events'),
    find: '  const safe = log.watermark(settings.durability)\n  const count',
    replace: "  const safe = log.watermark(settings.durability && 'memory')\n  const count",
    test: FOLLOWING,
  },
  {
    name: 'waiting-reader-not-woken',
    promise: 'a read of events is held until one is safe, and ends empty when its time is up',
    file: broker('held-reads'),
    find: 'held.isGrowing = true',
    replace: 'held.isGrowing ||= false',
    test: BROKER_STREAMS,
  },
  {
    name: 'deleted-events-given',
    promise: 'broker: a deleted stream gives nothing and its name is never used again',
    file: broker('requests/read-events'),
    find: "(event.category, event.stream)?.state === 'deleted') return true",
    replace: "(event.category, event.stream)?.reason === '') return true",
    test: BROKER_CONTRACT,
  },
  {
    name: 'deleted-page-taken-for-the-end',
    promise: 'broker: events of deleted streams never make a page look like the last one',
    file: broker('requests/read-events'),
    find: 'if (events.length > 0 || next >= bounds.safe) break',
    replace: 'if (next > 0) break',
    test: BROKER_CONTRACT,
  },
  {
    name: 'record-of-another-time-in-a-kept-block',
    promise: 'are what was appended, in the order asked for',
    file: 'packages/log-core/src/records-at.ts',
    find: 'if (start >= 0 && isRecordValid(bytes, start, bytes.length, at))',
    replace: 'if (start >= 0 && isRecordValid(bytes, start, bytes.length, at) !== undefined)',
    test: 'packages/log-core/test/records-at.property.test.ts',
  },
  {
    name: 'upcaster-skipped',
    promise: 'leads old versions on, step by step',
    file: store('event-set'),
    find: '  for (let old = schema; old < version; old += 1) {',
    replace: '  for (let old = schema + 1; old < version; old += 1) {',
    test: inStore('event-set.unit'),
  },
  {
    name: 'snapshot-newer-than-its-events',
    promise: 'a state from a snapshot is the state of a replay',
    file: store('snapshots'),
    find: ' || stored.right.version > head',
    replace: '',
    test: inStore('snapshots.property'),
  },
]

const projecting: readonly NamedBug[] = [
  {
    name: 'checkpoint-not-compared',
    promise: 'in memory: who knows another checkpoint writes nothing',
    file: store('memory-rows'),
    find: '    if (!isDeepStrictEqual(this.#checkpoints.get(part), before)) return false\n',
    replace: '    if (!isDeepStrictEqual(before, before)) return false\n',
    test: inStore('rows.contract'),
  },
  {
    name: 'checkpoint-before-its-rows',
    promise: 'rows as streams in memory: rows and checkpoint change together',
    file: store('stream-rows'),
    find: "appends.push(rowAppend({ category, key }, 'any', row))",
    replace: "if (rows.size < 2) appends.push(rowAppend({ category, key }, 'any', row))",
    test: inStore('rows.contract'),
  },
  {
    name: 'effects-while-building',
    promise: 'is built beside the old one, silent, compared, and swapped in',
    file: store('projector'),
    find: "effect !== undefined && this.state === 'running'",
    replace: "effect !== undefined && this.state !== 'closed'",
    test: PROJECTOR,
  },
  {
    name: 'parked-stream-let-in-again',
    promise: 'parks its stream and leaves the others alone',
    file: store('row-changes'),
    find: '  const parked = new Map(Object.entries(page.parked))\n',
    replace: '  const parked = new Map(Object.entries({ ...page.parked }).slice(1))\n',
    test: PROJECTOR,
  },
  {
    name: 'inline-change-not-fenced',
    promise: 'of a changed definition are refused until they are built, and fence off the old one',
    file: store('inline-projection'),
    find: 'const all = [...placed, ...rows]',
    replace: 'const all = [...placed, ...rows]\n      closings.length = 0',
    test: PROJECTOR,
  },
  {
    name: 'runner-beside-inline',
    promise: 'of a changed definition are refused until they are built, and fence off the old one',
    file: store('projector'),
    find: 'if (await isInline(rows, this.#projection))',
    replace: 'if (version < 0 && (await isInline(rows, this.#projection)))',
    test: PROJECTOR,
  },
  {
    name: 'part-from-the-first-event',
    promise: 'go on where one runner has built a new version, count nothing twice, and release',
    file: store('projection-parts'),
    find: 'const after = { next: shared.next, parked: await',
    replace: 'const after = { next: port.start, parked: await',
    test: inStore('parted.unit'),
  },
  {
    name: 'inline-row-not-guarded',
    promise: 'change with their events, also when many writers share a row',
    file: store('inline-projection'),
    find: 'const append = rowAppend({ category, key }, version, row)',
    replace: "const append = rowAppend({ category, key }, version < 0 ? version : 'any', row)",
    test: PROJECTOR,
  },
]

export const eventStoreBugs: readonly NamedBug[] = [
  ...appending,
  ...releasing,
  ...reading,
  ...projecting,
]
