/**
 * A log against a model of it, on a disk that fails: the workload and the faults are one list of
 * events, each of which makes sense by itself, so that a failing list can be made smaller. What was
 * acknowledged survives at its level, order holds, frames are whole, damage is told, and the audit
 * never calls a frame safe that a crash can take.
 */
import type { Position } from '@sagalog/kernel'
import { expect } from 'vitest'
import { type Durability, type Log, LogError, type RecoveryReport } from '../src/index.js'
import type { Campaign } from './campaign.js'
import { type Damage, damageDisk, putImage, takeImage } from './image.js'
import { appendSoon, draft, type Process, readAll, world } from './world.js'

export type Ending = 'kill' | 'power' | 'close'

export type Event =
  | { readonly do: 'append'; readonly sizes: readonly number[] }
  | { readonly do: 'pass' | 'jump'; readonly ms: number }
  | { readonly do: Ending | 'read' }
  | { readonly do: 'failSync' | 'failCall' | 'misdirect'; readonly skip: number }
  | { readonly do: 'full'; readonly free: number }
  | { readonly do: 'slow'; readonly every: number; readonly ms: number }
  | { readonly do: 'damage'; readonly after: Ending; readonly damage: Damage }

export interface Settings {
  readonly durability: Durability
  readonly segmentBytes: number
  readonly cacheBytes: number
}

interface Frame {
  readonly texts: readonly string[]
  end: Position | undefined
  isAcknowledged: boolean
}

/** What the way a life ended can not take. */
type MustKeep = (frame: Frame) => boolean

const textsOf = (frames: readonly Frame[]): string[] => frames.flatMap(({ texts }) => texts)

export class LogMachine {
  readonly #world: ReturnType<typeof world>
  readonly #settings: Settings
  readonly #campaign: Campaign
  /** What every later opening must still show. */
  #kept: string[] = []
  #frames: Frame[] = []
  #serial = 0
  #process!: Process
  #log!: Log
  /** Watermarks that stood higher than the account of the disk. */
  readonly #early: string[] = []
  /** Appends that this log has neither acknowledged nor refused. */
  #waiting = new Set<Frame>()
  /** True once the disk has lied so that the log refuses to open: nothing is left to try. */
  #isOver = false

  constructor(seed: number, settings: Settings, campaign: Campaign) {
    this.#world = world(seed)
    this.#settings = settings
    this.#campaign = campaign
  }

  async run(events: readonly Event[]): Promise<void> {
    await this.#open()
    this.#watch()
    for (const event of events) {
      await this.#take(event)
      if (this.#isOver) break
    }
    if (!this.#isOver) {
      // No more faults: whatever waits must get its answer.
      const { disk } = this.#world
      disk.setSlow(0, 0)
      disk.failNextSync(-1)
      disk.failNextCall(-1)
      await this.#world.pass(60_000)
      if (this.#log.failure === undefined) expect([...this.#waiting]).toEqual([])
      await this.#reopen(await this.#end('power'))
    }
    const { faults } = this.#world.disk
    this.#campaign.countAll(faults)
    this.#campaign.count('crashes', faults.kills + faults.powerLosses)
    expect(this.#early).toEqual([])
  }

  async #take(event: Event): Promise<void> {
    const { disk, pass, time } = this.#world
    this.#campaign.count(event.do)
    switch (event.do) {
      case 'append':
        this.#append(event.sizes)
        await Promise.resolve()
        return
      case 'pass':
        return pass(event.ms)
      case 'jump':
        time.jumpWall(event.ms)
        return
      case 'read':
        return this.#read()
      case 'kill':
      case 'power':
      case 'close':
        return this.#reopen(await this.#end(event.do))
      case 'failSync':
        disk.failNextSync(event.skip)
        return
      case 'failCall':
        disk.failNextCall(event.skip)
        return
      case 'misdirect':
        disk.misdirectNextWrite(event.skip)
        return
      case 'slow':
        disk.setSlow(event.every, event.ms)
        return
      case 'full':
        return this.#fill(event.free)
      case 'damage':
        return this.#damage(event.after, event.damage)
    }
  }

  #watch(): void {
    const watched = this.#log
    watched.onAdvance(() => {
      for (const level of ['os', 'sync'] as const) {
        const end = watched.watermark(level)
        if (!watched.isSafe(end, level)) this.#early.push(`${level} ${end}`)
      }
    })
  }

  #append(sizes: readonly number[]): void {
    const texts = sizes.map((size) => {
      this.#serial += 1
      return `${this.#serial}:`.padEnd(size, 'x')
    })
    const frame: Frame = { texts, end: undefined, isAcknowledged: false }
    const [into, list, pending] = [this.#log, this.#frames, this.#waiting]
    const { durability } = this.#settings
    pending.add(frame)
    const acknowledged = async (): Promise<void> => {
      const { end } = await appendSoon(into, texts.map(draft))
      frame.end = end
      list.push(frame)
      await into.waitFor(end, durability)
      expect(into.isSafe(end, durability)).toBe(true)
      frame.isAcknowledged = true
    }
    acknowledged()
      .catch((error: unknown) => {
        if (!LogError.is(error)) throw error
      })
      .finally(() => pending.delete(frame))
  }

  async #read(): Promise<void> {
    const log = this.#log
    if (log.failure !== undefined) return
    try {
      const all = await this.#world.drive(readAll(log))
      expect(all.slice(0, this.#kept.length)).toEqual(this.#kept)
    } catch (error) {
      if (!LogError.is(error)) throw error
      // A call that was told to fail, or bytes that another write went over.
      if (error.code === 'CORRUPT') expect(this.#hasGoneAstray).toBe(true)
      else expect(['IO', 'FLUSH_FAILED']).toContain(error.code)
    }
  }

  async #fill(free: number): Promise<void> {
    const { disk, pass } = this.#world
    const used = disk.paths().reduce((sum, path) => sum + (disk.contents(path)?.length ?? 0), 0)
    disk.setCapacity(used + free)
    await pass(5)
    disk.setCapacity(undefined)
  }

  /** From then on any file may hold what nobody wrote there. */
  get #hasGoneAstray(): boolean {
    return this.#world.disk.faults.writesMisdirected > 0
  }

  /** Ends the life of the process; gives what the next one must find. */
  async #end(how: Ending): Promise<MustKeep> {
    const { disk, drive } = this.#world
    const log = this.#log
    const { durability } = this.#settings
    const safe = (level: Durability): Set<Frame> =>
      new Set(this.#frames.filter(({ end }) => end !== undefined && log.isSafe(end, level)))
    const isSynced: MustKeep = ({ isAcknowledged }) => isAcknowledged && durability === 'sync'
    if (how === 'close') {
      try {
        await drive(log.close())
        return log.failure === undefined ? ({ end }) => end !== undefined : isSynced
      } catch (error) {
        if (!LogError.is(error)) throw error
        disk.killProcess(this.#process.clock)
        return isSynced
      }
    }
    const kept = safe(how === 'kill' ? 'os' : 'sync')
    if (how === 'power') {
      disk.crash()
      return (frame) => kept.has(frame) || isSynced(frame)
    }
    disk.killProcess(this.#process.clock)
    return (frame) => kept.has(frame) || (frame.isAcknowledged && durability !== 'memory')
  }

  async #open(): Promise<void> {
    for (;;) {
      this.#process = this.#world.start()
      try {
        this.#log = await this.#world.drive(this.#process.open(this.#settings))
        return
      } catch (error) {
        // A call that was told to fail may fail here.
        if (!LogError.is(error) || !['IO', 'FLUSH_FAILED'].includes(error.code)) throw error
        this.#world.disk.killProcess(this.#process.clock)
      }
    }
  }

  /** Opens and reads everything, also past a call that was told to fail. */
  async #find(): Promise<{ texts: string[]; report: RecoveryReport }> {
    for (;;) {
      await this.#open()
      try {
        return { texts: await this.#world.drive(readAll(this.#log)), report: this.#log.report }
      } catch (error) {
        if (!LogError.is(error) || !['IO', 'FLUSH_FAILED'].includes(error.code)) throw error
        this.#world.disk.killProcess(this.#process.clock)
      }
    }
  }

  /** Opens again and compares. */
  async #reopen(mustKeep: MustKeep): Promise<void> {
    const sequenced = this.#frames.filter((frame) => frame.end !== undefined)
    let texts: string[]
    try {
      ;({ texts } = await this.#find())
    } catch (error) {
      if (!this.#hasGoneAstray || !LogError.is(error)) throw error
      expect(error.code).toBe('CORRUPT')
      this.#campaign.count('astray told')
      this.#isOver = true
      return
    }
    const count = this.#wholeFrames(texts, sequenced)
    const lost = sequenced.slice(count)
    // One disk can't know of a write that it never saw: only the end may be missing then.
    if (this.#hasGoneAstray) this.#campaign.count('astray at the tail', lost.some(mustKeep) ? 1 : 0)
    else expect(lost.filter(mustKeep)).toEqual([])
    this.#campaign.count('frames lost', lost.length)
    this.#campaign.count('cuts', this.#log.report.cut === undefined ? 0 : 1)
    this.#campaign.count('frames kept', count)
    this.#kept = texts
    this.#frames = []
    this.#waiting = new Set()
    this.#watch()
  }

  /** The number of frames found behind what was kept; there must be no part of one. */
  #wholeFrames(texts: readonly string[], sequenced: readonly Frame[]): number {
    const expected = [...this.#kept, ...textsOf(sequenced)]
    expect(texts).toEqual(expected.slice(0, texts.length))
    let [count, length] = [0, this.#kept.length]
    if (!this.#hasGoneAstray) expect(texts.length).toBeGreaterThanOrEqual(length)
    for (const frame of sequenced) {
      if (length + frame.texts.length > texts.length) break
      length += frame.texts.length
      count += 1
    }
    expect(texts.length).toBeLessThanOrEqual(length)
    return count
  }

  /** Damages a file between two lives, sees it told, and undoes it. */
  async #damage(after: Ending, damage: Damage): Promise<void> {
    const { disk } = this.#world
    const mustKeep = await this.#end(after)
    const image = takeImage(disk)
    putImage(disk, image)
    // One thing at a time: an opening that fails would take its report with it.
    disk.failNextSync(-1)
    disk.failNextCall(-1)
    const path = damageDisk(disk, damage)
    let seen: { texts: string[]; report: RecoveryReport } | undefined
    try {
      seen = path === undefined ? undefined : await this.#find()
    } catch (error) {
      if (!LogError.is(error)) throw error
      expect(error.code).toBe('CORRUPT')
      this.#campaign.count(`${damage.how} told`)
    }
    disk.killAll()
    putImage(disk, image)
    await this.#reopen(mustKeep)
    if (seen === undefined || this.#isOver) return
    const { texts, report } = seen
    expect(texts).toEqual(this.#kept.slice(0, texts.length))
    if (texts.length === this.#kept.length) {
      this.#campaign.count(`${damage.how} harmless`)
      return
    }
    // What was never proven durable may be cut, and is told; a last file may be gone with its name.
    const isTold = report.ambiguousBytes > 0 || report.removed.length > 0
    if (damage.how === 'flip') expect(isTold).toBe(true)
    this.#campaign.count(`${damage.how} of an unproven tail`)
  }
}
