/** Bugs in what RocketMQ's own clients are served with, each caught by one test of the broker. */
import type { NamedBug } from '../planted-bug.js'

const BROKER = 'packages/broker/src/'
const test = 'packages/broker/test/rocketmq-groups.unit.test.ts'

export const rocketmqBugs: readonly NamedBug[] = [
  {
    name: 'filter-takes-all',
    promise: 'a filter gives what carries its tags, and goes on behind what does not',
    file: `${BROKER}tag-filter.ts`,
    find: 'tag !== undefined && tags.has(tag)',
    replace: 'tag !== undefined',
    test,
  },
  {
    name: 'held-pull-forgets-how-far-it-looked',
    promise: 'a filter gives what carries its tags, and goes on behind what does not',
    file: `${BROKER}requests/pull-message.ts`,
    find: '    pull.next = taking.next\n',
    replace: '',
    test,
  },
  {
    name: 'lock-of-two',
    promise: "a lock is one client's until it lets go, leaves, or is silent for a minute",
    file: `${BROKER}queue-locks.ts`,
    find: 'held.clientId !== clientId && held.untilMs > nowMs',
    replace: 'held.untilMs > nowMs + LOCK_MS',
    test,
  },
  {
    name: 'lock-outlives-its-client',
    promise: "a lock is one client's until it lets go, leaves, or is silent for a minute",
    file: `${BROKER}requests/heartbeat.ts`,
    find: 'core.locks.release(group, clientId)',
    replace: 'core.assigned.leave(group, clientId)',
    test,
  },
  {
    name: 'silent-client-stays',
    promise: 'members come with heartbeats, and go with their connection or their silence',
    file: `${BROKER}assigned-groups.ts`,
    find: 'client.deadlineMs <= nowMs',
    replace: 'client.deadlineMs < 0 * nowMs',
    test,
  },
  {
    name: 'tries-not-counted',
    promise: 'what is sent back comes again by its level, and dies after its last try',
    file: `${BROKER}retry-topic.ts`,
    find: 'reconsumeTimes: message.reconsumeTimes + 1',
    replace: 'reconsumeTimes: message.reconsumeTimes',
    test,
  },
  {
    name: 'commit-undoes-a-reset',
    promise: 'offsets are found by their ends and by time, and a reset reaches who pulls',
    file: `${BROKER}consumer-place.ts`,
    find: '  if (core.state.resets.get(queue) !== undefined) return []\n',
    replace: '',
    test,
  },
  {
    name: 'place-behind-the-end',
    promise: 'the place of a group is what it says, in both directions, and survives a crash',
    file: `${BROKER}consumer-place.ts`,
    find: 'queueOffset(Math.min(Math.max(first, offset), next))',
    replace: 'queueOffset(Math.max(first, offset, next - next))',
    test,
  },
  {
    name: 'both-kinds-in-one-group',
    promise: 'a group is of one kind or the other',
    file: `${BROKER}group-kind.ts`,
    find: '  if (!isAssigned) return undefined\n',
    replace: '  if (isAssigned || !isAssigned) return undefined\n',
    test,
  },
]
