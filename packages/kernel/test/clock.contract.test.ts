/** What every Clock must do: one suite for the machine's and for the simulated one. */
import { describe, expect, it } from 'vitest'
import { type Clock, sleep } from '../src/index.js'
import { nodeClock } from '../src/node/index.js'
import { seededRandom, simulatedTime } from '../src/testing/index.js'

interface ClockUnderTest {
  readonly clock: Clock
  /** Lets the clock's own time pass until the promise has settled. */
  readonly drive: <T>(promise: Promise<T>) => Promise<T>
}

function clockContract(name: string, make: () => ClockUnderTest): void {
  const on = (body: (test: ClockUnderTest) => Promise<void>) => (): Promise<void> => body(make())

  describe(`${name} is a Clock`, () => {
    it(
      'moves forward over a wait, at least as far as was asked, on both faces',
      on(async ({ clock, drive }) => {
        const [monotonic, wall] = [clock.monotonicMs(), clock.wallMs()]
        await drive(sleep(clock, 5))
        // A timer of Node may fire a part of a millisecond early.
        expect(clock.monotonicMs() - monotonic).toBeGreaterThan(4)
        expect(clock.wallMs()).toBeGreaterThanOrEqual(wall + 3)
        expect(Number.isInteger(clock.wallMs())).toBe(true)
      }),
    )

    it(
      'runs tasks once, in the order of their time',
      on(async ({ clock, drive }) => {
        const ran: string[] = []
        clock.after(12, () => ran.push('late'))
        clock.after(1, () => ran.push('early'))
        await drive(sleep(clock, 40))
        expect(ran).toEqual(['early', 'late'])
      }),
    )

    it(
      'never runs a task inside the call that plans it, however short the delay',
      on(async ({ clock, drive }) => {
        const ran: string[] = []
        clock.after(0, () => ran.push('no delay'))
        clock.after(-5, () => ran.push('a delay that is over'))
        clock.defer(() => ran.push('deferred'))
        expect(ran).toEqual([])
        await drive(sleep(clock, 10))
        expect(ran.sort()).toEqual(['a delay that is over', 'deferred', 'no delay'])
      }),
    )

    it(
      'defers until what is already settled has been seen',
      on(async ({ clock, drive }) => {
        const seen: string[] = []
        const deferred = new Promise<void>((resolve) => {
          clock.defer(() => {
            seen.push('deferred')
            resolve()
          })
        })
        void Promise.resolve().then(() => seen.push('settled'))
        await drive(deferred)
        expect(seen).toEqual(['settled', 'deferred'])
      }),
    )

    it(
      'forgets what was cancelled; a cancel afterwards does nothing',
      on(async ({ clock, drive }) => {
        const ran: string[] = []
        const cancel = clock.after(2, () => ran.push('cancelled'))
        cancel()
        cancel()
        const tooLate = clock.after(2, () => ran.push('kept'))
        await drive(sleep(clock, 20))
        tooLate()
        await drive(sleep(clock, 5))
        expect(ran).toEqual(['kept'])
      }),
    )

    it(
      'does not take a delay of months for none',
      on(async ({ clock, drive }) => {
        let isRun = false
        const cancel = clock.after(2 ** 32, () => (isRun = true))
        await drive(sleep(clock, 20))
        expect(isRun).toBe(false)
        cancel()
      }),
    )
  })
}

const simulated = () => {
  const time = simulatedTime(seededRandom(1))
  const drive = async <T>(promise: Promise<T>): Promise<T> => {
    let isDone = false
    void promise.finally(() => (isDone = true))
    await time.run({ untilMs: time.nowMs() + 1_000, isDone: () => isDone })
    return promise
  }
  return { time, clock: time.nodeClock(), drive }
}

clockContract("the machine's clock", () => ({
  clock: nodeClock(),
  drive: (promise) => promise,
}))
clockContract('the simulated clock', simulated)

describe('the simulated clock', () => {
  it('jumps on its wall face only, both ways, and what was planned stays where it was', async () => {
    const { time, clock, drive } = simulated()
    for (const jumpMs of [3_600_000, -7_200_000]) {
      const [monotonic, wall] = [clock.monotonicMs(), clock.wallMs()]
      const waiting = sleep(clock, 50)
      time.jumpWall(jumpMs)
      expect([clock.monotonicMs(), clock.wallMs()]).toEqual([monotonic, wall + jumpMs])
      await drive(waiting)
      expect(clock.monotonicMs()).toBe(monotonic + 50)
    }
  })

  it('forgets what a killed process had planned, and no other one', async () => {
    const { time, clock, drive } = simulated()
    const ran: string[] = []
    const doomed = time.nodeClock()
    doomed.after(1, () => ran.push('of the dead'))
    doomed.defer(() => ran.push('of the dead'))
    clock.after(1, () => ran.push('of the living'))
    doomed.kill()
    await drive(sleep(clock, 5))
    expect(ran).toEqual(['of the living'])
  })

  it('runs the same way again under the same seed, and another way under another', async () => {
    const orderOf = async (seed: number): Promise<string> => {
      const time = simulatedTime(seededRandom(seed))
      const clock = time.nodeClock()
      let order = ''
      // All at the same time: the seed decides.
      for (const name of 'abcdefgh') clock.after(1, () => (order += name))
      await time.run({ untilMs: 10 })
      return order
    }
    expect(await orderOf(1)).toBe(await orderOf(1))
    expect(await orderOf(1)).toHaveLength(8)
    expect(await orderOf(1)).not.toBe(await orderOf(2))
  })
})
