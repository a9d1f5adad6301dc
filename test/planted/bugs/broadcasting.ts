/** Bugs that break what the broadcasting property promises. */
import { BROADCASTING, type PlantedBug } from '../planted-bug.js'

export const broadcastingBugs: readonly PlantedBug[] = [
  {
    name: 'instances-share-a-place',
    promise: 'broadcast-every-instance',
    file: 'packages/broker/src/members.ts',
    find: "return member.mode === 'broadcasting' ? `${group}\\u0001${member.instance}` : group",
    replace: "return member.mode === 'clustering' ? group : `${group}\\u0001i0`",
    test: BROADCASTING,
  },
  {
    name: 'broadcast-begins-at-the-end',
    promise: 'broadcast-every-instance',
    file: 'packages/broker/src/requests/lease-queues.ts',
    find: "const isFirst = request.from === 'first'",
    replace: "const isFirst = request.from !== 'first'",
    test: BROADCASTING,
  },
  {
    name: 'place-begins-anew-at-each-grant',
    promise: 'broadcast-every-instance',
    file: 'packages/broker/src/requests/lease-queues.ts',
    find: 'if (state.places.get(placeGroup, topic, queueId) !== undefined) continue',
    replace: 'if (queues < 0) continue',
    test: BROADCASTING,
  },
  {
    name: 'place-forgotten-at-restart',
    promise: 'broadcast-every-instance',
    file: 'packages/broker/src/folds/fact-fold.ts',
    find: 'loadRecords(chunk, (record) => this.evolve(record))',
    replace: "loadRecords(chunk, (record) => this.name !== 'places' && this.evolve(record))",
    test: BROADCASTING,
  },
  {
    name: 'queue-given-to-one-instance-only',
    promise: 'broadcast-every-instance',
    file: 'packages/broker/src/requests/lease-queues.ts',
    find: "if (member.mode === 'broadcasting') return true\n",
    replace: '',
    test: BROADCASTING,
  },
]
