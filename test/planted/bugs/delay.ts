/** Bugs that break what the delay property promises. */
import { DELAY, type PlantedBug } from '../planted-bug.js'

export const delayBugs: readonly PlantedBug[] = [
  {
    name: 'early-after-a-clock-jump',
    promise: 'by-its-clock',
    file: 'packages/broker/src/timer-loop.ts',
    find: 'if (core.clock.wallMs() < timer.dueAtMs) this.plan(timer)',
    replace: 'if (core.clock.wallMs() < 0) this.plan(timer)',
    test: DELAY,
  },
  {
    name: 'clock-jump-not-noticed',
    promise: 'by-its-clock',
    file: 'packages/broker/src/timer-loop.ts',
    find: 'if (Math.abs(aheadMs - this.aheadMs) > WALL_CLOCK_MOVED_MS) {',
    replace: 'if (this.aheadMs - aheadMs > WALL_CLOCK_MOVED_MS) {',
    test: DELAY,
  },
  {
    name: 'delay-by-the-wall-clock',
    promise: 'by-its-clock',
    file: 'packages/broker/src/records/timer-record.ts',
    find: 'id.startsWith(UNTIL_A_TIME)',
    replace: "id !== ''",
    test: DELAY,
  },
  {
    name: 'timer-fires-twice-after-a-restart',
    promise: 'delayed-once',
    file: 'packages/broker/src/timer-loop.ts',
    find: 'return { drafts: [message, end], applied: () => undefined }',
    replace: `const second = { drafts: [end], applied: () => undefined }
          const submit = () =>
            core.sequencer.submit({ decide: () => second, refuse: () => undefined })
          return { drafts: [message], applied: () => core.clock.after(20, submit) }`,
    test: DELAY,
  },
  {
    name: 'cancelled-comes-all-the-same',
    promise: 'delayed-once',
    file: 'packages/broker/src/timer-loop.ts',
    find: 'return this.core.state.timers.get(timer.id)?.position === timer.position',
    replace: "return timer.id !== ''",
    test: DELAY,
  },
  {
    name: 'overdue-at-the-start-left-behind',
    promise: 'delayed-once',
    file: 'packages/broker/src/timer-loop.ts',
    find: 'for (const timer of this.core.state.timers.all()) this.plan(timer)',
    replace: `for (const timer of this.core.state.timers.all())
      if (timer.dueAtMs > this.core.clock.wallMs()) this.plan(timer)`,
    test: DELAY,
  },
]
