/**
 * The machine below a simulated disk: the calls that are on their way, the processes that made
 * them, and what is to go wrong next. A process that dies leaves its calls hanging for ever.
 */
import { below, DiskError, type Random } from '@sagalog/kernel'
import type { NodeClock, SimulatedTime } from '@sagalog/kernel/testing'
import { noFaults } from './disk-faults.js'
import { SimulatedFiles } from './simulated-files.js'

export interface SimulatedDiskOptions {
  readonly time: SimulatedTime
  readonly random: Random
  /** Bytes that all files together may have. Default: no bound. */
  readonly capacityBytes?: number
}

export interface SimulatedProcess {
  readonly clock: NodeClock
  isDead: boolean
}

/** A call on its way; `leave` is what it does when its process dies under it. */
interface InFlight {
  readonly process: SimulatedProcess
  readonly leave: (cause: 'kill' | 'power') => void
}

/** What a call is, for its time and for its error. */
export interface Call {
  readonly kind: keyof typeof LATENCY
  readonly operation: string
  readonly path: string
}

interface Effects<T> {
  readonly complete: () => T
  /** What it does when its process dies under it; else it completes or does not. */
  readonly leave?: InFlight['leave']
  /** What it does before it fails; else it completes or does not. */
  readonly fail?: () => void
}

export const ioError = (operation: string, path: string): DiskError =>
  new DiskError('IO', { operation, path, reason: 'EIO' })

/** Simulated milliseconds of a call: at least and at most. */
const LATENCY = { quick: [0.005, 0.1], write: [0.02, 0.3], sync: [0.1, 2] } as const

export class SimulatedMachine {
  readonly files: SimulatedFiles
  readonly faults = noFaults()
  readonly #time: SimulatedTime
  readonly random: Random
  readonly #inFlight = new Set<InFlight>()
  readonly #processes = new Set<SimulatedProcess>()
  readonly locks = new Map<string, SimulatedProcess>()
  calls = 0
  listener: ((call: number) => void) | undefined
  /** Syncs until one fails; negative when none is to fail. */
  syncsToFailure = -1
  /** The same for any call, and for writes that go astray. */
  callsToFailure = -1
  writesToMisdirection = -1
  slow = { every: 0, delayMs: 0 }

  constructor(options: SimulatedDiskOptions) {
    this.#time = options.time
    this.random = options.random.fork('disk')
    this.files = new SimulatedFiles(this.random, this.faults, options.capacityBytes)
  }

  get inFlight(): number {
    return this.#inFlight.size
  }

  attach(clock: NodeClock): SimulatedProcess {
    this.reap()
    const process = { clock, isDead: clock.isDead }
    this.#processes.add(process)
    return process
  }

  #latency(kind: keyof typeof LATENCY): number {
    const [least, most] = LATENCY[kind]
    const usual = least + ((most - least) * below(this.random, 1000)) / 1000
    if (this.slow.every === 0 || below(this.random, this.slow.every) > 0) return usual
    this.faults.slowCalls += 1
    return usual + this.slow.delayMs
  }

  /** Runs a call: after its latency it completes, unless its process died meanwhile. */
  call<T>(
    process: SimulatedProcess,
    { kind, operation, path }: Call,
    effects: Effects<T>,
  ): Promise<T> {
    const { complete, leave } = effects
    this.reap()
    this.calls += 1
    this.listener?.(this.calls)
    if (process.isDead || process.clock.isDead) return new Promise(() => undefined)
    const isFailing = this.#failsCall()
    const entry: InFlight = {
      process,
      leave: (cause) => {
        // A full disk takes nothing any more; nobody is left to be told.
        if (leave !== undefined) this.#try(() => leave(cause))
        else if (below(this.random, 2) === 0) this.#try(complete)
      },
    }
    this.#inFlight.add(entry)
    return new Promise((resolve, reject) => {
      this.#time.plan(this.#latency(kind), () => {
        if (!this.#inFlight.delete(entry)) return
        if (process.clock.isDead) {
          entry.leave('kill')
          return
        }
        try {
          if (!isFailing) {
            resolve(complete())
            return
          }
        } catch (error) {
          reject(error)
          return
        }
        // What a call did before it failed, nobody knows.
        if (effects.fail !== undefined) this.#try(effects.fail)
        else if (below(this.random, 2) === 0) this.#try(complete)
        reject(ioError(operation, path))
      })
    })
  }

  #try(effect: () => unknown): void {
    try {
      effect()
    } catch {
      // Nobody is left to be told.
    }
  }

  /** Clocks may be killed from outside; what their processes had in flight ends here. */
  reap(): void {
    for (const process of this.#processes) {
      if (process.clock.isDead && !process.isDead) this.kill(process)
    }
  }

  kill(process: SimulatedProcess, cause: 'kill' | 'power' = 'kill'): void {
    process.isDead = true
    this.#processes.delete(process)
    for (const entry of [...this.#inFlight]) {
      if (entry.process !== process) continue
      this.#inFlight.delete(entry)
      entry.leave(cause)
    }
    for (const [directory, owner] of this.locks) {
      if (owner === process) this.locks.delete(directory)
    }
    if (cause === 'kill') this.faults.kills += 1
  }

  killClock(clock: NodeClock): void {
    clock.kill()
    this.reap()
  }

  killAll(): void {
    for (const process of [...this.#processes]) process.clock.kill()
    this.reap()
  }

  crash(choose?: () => boolean): void {
    for (const process of [...this.#processes]) {
      process.clock.kill()
      this.kill(process, 'power')
    }
    this.faults.powerLosses += 1
    this.files.crash(choose)
  }

  failsSync(): boolean {
    const isFailing = this.syncsToFailure === 0
    if (this.syncsToFailure >= 0) this.syncsToFailure -= 1
    if (isFailing) this.faults.syncsFailed += 1
    return isFailing
  }

  #failsCall(): boolean {
    const isFailing = this.callsToFailure === 0
    if (this.callsToFailure >= 0) this.callsToFailure -= 1
    if (isFailing) this.faults.callsFailed += 1
    return isFailing
  }

  misdirects(): boolean {
    const isAstray = this.writesToMisdirection === 0
    if (this.writesToMisdirection >= 0) this.writesToMisdirection -= 1
    return isAstray
  }
}
