/** Bugs in what the broker lets go, each caught by one test of the broker. */
import type { NamedBug } from '../planted-bug.js'

const BROKER = 'packages/broker/src/'
const test = 'packages/broker/test/retention.unit.test.ts'

export const retentionBugs: readonly NamedBug[] = [
  {
    name: 'start-of-a-queue-not-restated',
    promise: 'stay gone over a crash, opened from the log alone',
    file: `${BROKER}folds/queues.ts`,
    find: 'if (start === 0) continue',
    replace: 'if (start >= 0) continue',
    test,
  },
  {
    name: 'queue-begins-anew-when-all-went',
    promise: 'all of them may go: the next offset outlives them',
    file: `${BROKER}folds/position-list.ts`,
    find: 'if (index > this.count) this.count = index',
    replace: 'if (index < this.count) this.from = index',
    test,
  },
  {
    name: 'unread-goes-below-the-cap',
    promise: 'stay, and who keeps them is told',
    file: `${BROKER}expiry.ts`,
    find: 'needed === undefined || needed.offset >= old ? old : needed.offset',
    replace: 'needed === undefined || needed.offset >= 0 ? old : needed.offset',
    test,
  },
  {
    name: 'group-left-below-the-start',
    promise: 'go over the cap: the group is moved, counted and named',
    file: `${BROKER}expiry.ts`,
    find: 'place !== undefined && place.watermark < first',
    replace: 'place !== undefined && place.watermark > first',
    test,
  },
  {
    name: 'client-moves-below-the-start',
    promise: 'go over the cap: the group is moved, counted and named',
    file: `${BROKER}consumer-place.ts`,
    find: 'Math.max(first, offset)',
    replace: 'Math.max(Math.min(first, 0), offset)',
    test,
  },
  {
    name: 'lease-outlives-what-it-held',
    promise: 'a lease on what goes ends, and its holder begins where the queue does',
    file: `${BROKER}retention.ts`,
    find: '      core.members.revoke(passedOver.group, queue.topic, queue.queueId)\n',
    replace: '',
    test,
  },
  {
    name: 'queue-without-a-place-goes',
    promise: 'a group without a place in one of the queues keeps that one whole',
    file: `${BROKER}expiry.ts`,
    find: 'place?.watermark ?? queueOffset(positions.start)',
    replace: 'place?.watermark ?? queueOffset(positions.length)',
    test,
  },
  {
    name: 'letters-that-wait-go',
    promise: 'a dead letter stays until somebody has decided it',
    file: `${BROKER}expiry.ts`,
    find: 'if (name.startsWith(DLQ_GROUP_TOPIC_PREFIX))',
    replace: 'if (name.startsWith(`${DLQ_GROUP_TOPIC_PREFIX} `))',
    test,
  },
  {
    name: 'events-go-by-the-bounds',
    promise: 'events stay, whatever the bounds say',
    file: `${BROKER}expiry.ts`,
    find: "if (fact?.kind === 'event') return undefined",
    replace: "if (fact?.name === 'event') return undefined",
    test,
  },
  {
    name: 'pull-below-the-start',
    promise: 'go by the bytes of the log, and the queue says where it starts',
    file: `${BROKER}requests/pull-message.ts`,
    find: 'if (offset < min) {',
    replace: 'if (offset < Math.min(min, 0)) {',
    test,
  },
  {
    name: 'marks-not-in-the-checkpoint',
    promise: 'what a restatement freed is known at once after a start from a checkpoint',
    file: 'packages/log-core/src/fold-runner.ts',
    find: 'this.#restated === undefined ? [] : [encodeMarks(this.#restated)]',
    replace: 'this.#restated !== undefined ? [] : [encodeMarks({ begin: at, end: at })]',
    test,
  },
]
