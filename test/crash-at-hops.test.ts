/**
 * Stops the node that a message is passing at, at every hop of the hop table, drops what was not
 * synced, starts it again, lets the work finish, and runs every checker. The script has orderly
 * sends, handlers that append and set timers, and transactional messages with check-back.
 */
import { HOPS, type HopName } from '@sagalog/kernel'
import { describe, expect, test } from 'vitest'
import { auditEarlyReplies } from './simulation/checkers/audit-early-replies.js'
import { effectsOnce } from './simulation/checkers/effects-once.js'
import { noAcknowledgedLoss } from './simulation/checkers/no-acknowledged-loss.js'
import { nothingUnsafeDelivered } from './simulation/checkers/nothing-unsafe-delivered.js'
import { oneLease } from './simulation/checkers/one-lease.js'
import { orderPerKey } from './simulation/checkers/order-per-key.js'
import { type Checker, ECHO_TOPIC } from './simulation/history.js'
import type { Plan } from './simulation/plan.js'
import { bodyTopic } from './simulation/producer-node.js'
import { watchRejections } from './simulation/rejections.js'
import { Book, TransactorNode } from './simulation/transactor-node.js'
import { type Population, TOPIC, World } from './simulation/world.js'
import { NodeStopped } from './simulation/world-failure.js'

const PASSINGS = [1, 2, 5, 12, 25]
/** Timers promise no order among themselves: what they send is left out. */
const orderOfSends: Checker = {
  ...orderPerKey,
  check: (history, contents) =>
    orderPerKey.check(history, {
      ...contents,
      messages: contents.messages.filter(({ topic }) => topic !== ECHO_TOPIC),
    }),
}
const CHECKERS = [
  auditEarlyReplies,
  nothingUnsafeDelivered,
  noAcknowledgedLoss,
  orderOfSends,
  oneLease,
  effectsOnce,
]
const TRANSACTIONS = 6
const ROUNDS = 20
const population: Population = {
  producers: 2,
  instances: 2,
  mode: 'clustering',
  order: 'orderly',
  echo: 'timer',
}

function planFor(seed: number): Plan {
  return {
    seed,
    settings: {
      segmentBytes: 4_096,
      cacheBytes: 2_048,
      leaseMs: 300,
      topicQueues: 2,
      checkpointEveryBytes: 3_000,
      flavour: seed % 2 === 0 ? 'in-process' : 'bytes',
    },
    paddingMax: 100,
    opening: 12,
    steps: [],
  }
}

/** Runs the script and stops at the given passing of a hop; gives how often the hop was passed. */
async function stopAt(hop: HopName, passing: number, seed: number): Promise<number> {
  let passed = 0
  let isArmed = false
  const plan = planFor(seed)
  const hopsOf = (node: string, world: World): { reach: (reached: HopName) => void } => ({
    reach(reached) {
      if (!isArmed || reached !== hop) return
      passed += 1
      if (passed === passing) world.stopNode(node)
    },
  })
  const world = new World({ plan, population, hopsOf })
  const { machine, random, time } = world
  const transactor = new TransactorNode({
    ...{ name: 't0', time, machine, recorder: world.recorder, book: new Book() },
    random: random.fork('transactor'),
    topic: bodyTopic(TOPIC, plan.settings.topicQueues),
    hops: hopsOf('t0', world),
    onCrash: () => undefined,
  })
  transactor.isTroubled = false
  world.guests.push(transactor)
  await world.begin()
  isArmed = true
  for (const instance of world.instances) {
    instance.isTroubled = false
    instance.join()
  }
  transactor.start()
  transactor.work(TRANSACTIONS)
  for (const [index, producer] of world.producers.entries())
    producer.send(`k${index}`, plan.opening)
  // One at a time, so that each is waited for by a pull.
  for (let round = 0; round < ROUNDS; round += 1) {
    await world.pass(20)
    for (const [index, producer] of world.producers.entries()) producer.send(`k${index}`, 1)
  }
  const failure = await world.drain()
  expect(failure, failure?.message ?? '').toBeUndefined()
  const contents = await world.autopsy(true)
  for (const checker of CHECKERS)
    expect(checker.check(world.recorder, contents), checker.promise).toEqual([])
  const committed = contents.messages.filter(
    ({ id, topic }) => topic === TOPIC && id.startsWith('t0/'),
  )
  expect(committed.map(({ id }) => id).sort()).toEqual(transactor.committed)
  return passed
}

describe('a node that stops at a hop', () => {
  test.each(HOPS.map(({ name }) => name))('%s breaks no promise', async (hop) => {
    const rejections = watchRejections((reason) => reason instanceof NodeStopped)
    try {
      for (const [index, passing] of PASSINGS.entries()) {
        const passed = await stopAt(hop, passing, index + 1)
        expect(passed, `passings of ${hop}`).toBeGreaterThanOrEqual(passing)
        expect(rejections.take()).toEqual([])
      }
    } finally {
      rejections.stop()
    }
  })
})
