/** Bugs that break what the clustering property promises. */
import { CLUSTERING, type PlantedBug } from '../planted-bug.js'

export const clusteringBugs: readonly PlantedBug[] = [
  {
    name: 'lease-epoch-unchecked',
    promise: 'one-lease',
    file: 'packages/broker/src/members.ts',
    find: 'if (lease?.epoch === queue.epoch) return',
    replace: 'if (lease !== undefined) return',
    test: CLUSTERING,
  },
  {
    name: 'epoch-from-memory',
    promise: 'one-lease',
    file: 'packages/broker/src/requests/lease-queues.ts',
    find: 'leaseEpoch(state.leases.epoch(request.group, topic, queueId) + 1)',
    replace: 'leaseEpoch(core.turn() + 1)',
    test: CLUSTERING,
  },
  {
    name: 'granted-while-held',
    promise: 'one-lease',
    file: 'packages/broker/src/requests/lease-queues.ts',
    find: 'return core.members.holder(group, topic, queueId) === undefined',
    replace: 'return true',
    test: CLUSTERING,
  },
  {
    name: 'acknowledgement-in-a-frame-of-its-own',
    promise: 'effects-once',
    file: 'packages/broker/src/requests/commit.ts',
    find: `  for (const fact of acknowledged.facts) drafts.push(ackDraft(fact))
  // The last one, so that its position is behind all that the commit wrote.
  const { versions } = appended
  if (request.key !== undefined) drafts.push(commitKeyDraft({ key: request.key, versions }))
  return { drafts, applied: answer(call, versions) }`,
    replace: `  const { versions } = appended
  if (request.key !== undefined) drafts.push(commitKeyDraft({ key: request.key, versions }))
  const acks = acknowledged.facts.map((fact) => ackDraft(fact))
  const second = { drafts: acks, applied: answer(call, versions) }
  const submit = () => core.sequencer.submit({ decide: () => second, refuse: () => undefined })
  return { drafts, applied: () => core.clock.after(0.2, submit) }`,
    test: CLUSTERING,
  },
  {
    name: 'acknowledgement-left-out',
    promise: 'effects-once',
    file: 'packages/broker/src/requests/commit.ts',
    find: 'for (const fact of acknowledged.facts) drafts.push(ackDraft(fact))',
    replace: 'if (acknowledged.facts.length > 1) drafts.push(...acknowledged.facts.map(ackDraft))',
    test: CLUSTERING,
  },
  {
    name: 'place-moves-past-a-gap',
    promise: 'effects-once',
    file: 'packages/broker/src/folds/places.ts',
    find: 'while (place.settled.delete(place.watermark)) {',
    replace:
      'for (const next of [...place.settled].sort((a, b) => a - b)) {\n      place.settled.delete(next)\n      place.watermark = next',
    test: CLUSTERING,
  },
  {
    name: 'checkpoint-without-places',
    promise: 'effects-once',
    file: 'packages/broker/src/folds/fact-fold.ts',
    find: 'loadRecords(chunk, (record) => this.evolve(record))',
    replace: "loadRecords(chunk, (record) => this.name !== 'places' && this.evolve(record))",
    test: CLUSTERING,
  },
]
