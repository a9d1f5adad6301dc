/**
 * Our client over TCP against `sagalog start`, replies synced, side by side with Apache RocketMQ
 * 5.3.3 at its default settings (which replies before it syncs) and its own Java client. Both run
 * for the whole benchmark; each row measures one right after the other, in turns. Where Java or
 * Maven is missing, only ours is measured and the report says so.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { OPS_PER_SECOND } from './harness.js'
import type { Aim, Benchmark, Case, Round } from './measurement.js'
import { startBroker } from './remoting-broker.js'
import { type RemotingPeer, residentMib, type Sample, type StartFigures } from './remoting-peer.js'
import { remotingReport } from './remoting-report.js'
import { rocketmqPeer, whyNoRocketmq } from './remoting-rocketmq.js'
import { sagalogPeer } from './remoting-sagalog.js'

const BODY_BYTES = 128
const PACE_PER_SECOND = 500
/** Key of the figure: how many times better than RocketMQ in the same round. */
export const RATIO = 'timesRocketmq'

const ops = (least: number): Aim => ({ kind: 'aim', figure: OPS_PER_SECOND, unit: '/s', least })
const twice: Aim = { kind: 'aim', figure: RATIO, unit: 'times RocketMQ', least: 2 }

interface Row {
  readonly label: string
  readonly callers: number
  readonly aims?: readonly Aim[]
  /** Better is less of it: the middle latency, not the operations per second. */
  readonly isLatency?: true
  measure(peer: RemotingPeer, durationMs: number): Promise<Sample>
}

/** A backlog that a second of work is spent on, more or less. */
const backlog = (durationMs: number): number => Math.max(1_000, Math.round(durationMs * 100))

const ROWS: readonly Row[] = [
  { callers: 1, aims: [] },
  { callers: 64, aims: [ops(100_000)] },
  { callers: 1_024, aims: [ops(300_000)] },
]
  .map(({ aims, callers }): Row => ({
    label: `awaited sends, ${callers} at once`,
    callers,
    aims,
    measure: (peer, durationMs) => peer.sends(callers, durationMs),
  }))
  .concat([
    {
      label: 'batches of 100, 16 at once',
      callers: 16,
      aims: [ops(500_000)],
      measure: (peer, durationMs) => peer.batches(16, 100, durationMs),
    },
    {
      label: 'consume a backlog in a group',
      callers: 1,
      aims: [ops(500_000)],
      measure: (peer, durationMs) => peer.consume(backlog(durationMs)),
    },
    {
      label: `send to handler, ${PACE_PER_SECOND}/s`,
      callers: 1,
      isLatency: true,
      measure: (peer, durationMs) => peer.endToEnd(PACE_PER_SECOND, durationMs),
    },
    {
      label: 'transactional messages, 64 at once',
      callers: 64,
      measure: (peer, durationMs) => peer.transactions(64, durationMs),
    },
  ])

function middle(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

const rate = ({ elapsedMs, operations }: Sample): number => (operations * 1000) / elapsedMs

/** How many times better the first is. */
const times = (row: Row, ours: Sample, theirs: Sample): number =>
  row.isLatency === true
    ? middle(theirs.latenciesMs) / middle(ours.latenciesMs)
    : rate(ours) / rate(theirs)

/** One row of one peer, with the processor time that it took. */
async function measured(row: Row, peer: RemotingPeer, durationMs: number): Promise<Round> {
  // What the last row left behind is not a matter of this one.
  await row.measure(peer, durationMs / 5)
  const before = peer.cpuMs()
  const { refused = 0, ...sample } = await row.measure(peer, durationMs)
  const after = peer.cpuMs()
  return {
    peer: peer.peer,
    body: BODY_BYTES,
    concurrency: row.callers,
    durability: peer.durability,
    ...sample,
    earlyReplies: await peer.earlyReplies(),
    figures: {
      clientUs: ((after.client - before.client) * 1000) / sample.operations,
      refused,
      brokerUs: ((after.broker - before.broker) * 1000) / sample.operations,
    },
  }
}

/** Both peers, for as long as the benchmark runs. */
class Peers {
  private readonly whyAlone: () => string | undefined
  private readonly open: RemotingPeer[] = []
  /** Why RocketMQ is left out, once that is known. */
  why: string | undefined

  constructor(whyAlone: () => string | undefined) {
    this.whyAlone = whyAlone
  }

  get all(): readonly RemotingPeer[] {
    return this.open
  }

  async start(directory: string): Promise<() => Promise<void>> {
    const home = join(directory, 'remoting')
    this.why = this.whyAlone()
    rmSync(home, { recursive: true, force: true })
    const close = async (): Promise<void> => {
      for (const peer of this.open.splice(0)) await peer.close()
      rmSync(home, { recursive: true, force: true })
    }
    try {
      this.open.push(await sagalogPeer(home))
      if (this.why === undefined) this.open.push(await rocketmqPeer(home))
    } catch (error) {
      await close()
      throw error
    }
    return close
  }
}

function rowCase(peers: Peers, row: Row): Case {
  return {
    label: row.label,
    aims: [...(row.aims ?? []), twice],
    async run(_directory, durationMs) {
      const rounds: Round[] = []
      for (const peer of peers.all) rounds.push(await measured(row, peer, durationMs))
      const [ours, theirs] = rounds
      if (ours === undefined || theirs === undefined) return rounds
      const figures = { ...ours.figures, [RATIO]: times(row, ours, theirs) }
      return [{ ...ours, figures }, theirs]
    },
  }
}

type Started = Pick<RemotingPeer, 'peer' | 'durability'> & StartFigures

const startRound = ({ durability, idleMib, peer, readyMs }: Started): Round => ({
  peer,
  durability,
  body: 0,
  concurrency: 0,
  operations: 1,
  elapsedMs: readyMs,
  latenciesMs: [readyMs],
  earlyReplies: 0,
  figures: { readyMs, idleMib },
})

/** A broker of ours is started anew in each round; RocketMQ was started once, alone. */
function startCase(peers: Peers): Case {
  return {
    label: 'start, ready and idle',
    aims: [
      { kind: 'aim', figure: 'readyMs', unit: 'ms until ready', most: 1_000 },
      { kind: 'aim', figure: 'idleMib', unit: 'MiB idle', most: 120 },
    ],
    async run(directory, durationMs) {
      const broker = await startBroker(directory)
      await new Promise((resolve) => setTimeout(resolve, durationMs))
      const idleMib = residentMib(broker.pid)
      await broker.stop()
      const own: Started = { peer: 'sagalog', durability: 'sync', readyMs: broker.readyMs, idleMib }
      const others = peers.all.flatMap((peer) =>
        peer.start === undefined ? [] : [startRound({ ...peer, ...peer.start })],
      )
      return [startRound(own), ...others]
    },
  }
}

/** `whyAlone` says why RocketMQ is left out; undefined when it is measured, too. */
export function remotingBenchmark(whyAlone: () => string | undefined): Benchmark {
  const peers = new Peers(whyAlone)
  return {
    name: 'remoting',
    summary: 'Client and broker over TCP, each a process, beside RocketMQ 5.3.3 and its client.',
    cases: [startCase(peers), ...ROWS.map((row) => rowCase(peers, row))],
    open: (directory) => peers.start(directory),
    report: (measurements) => remotingReport(measurements, peers.why),
  }
}

export const remoting = remotingBenchmark(whyNoRocketmq)
