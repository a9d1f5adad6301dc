import { seededRandom } from '@sagalog/kernel/testing'
import { describe, expect, test } from 'vitest'
import { DemoError } from '../src/errors.js'
import { planKills } from '../src/kill-plan.js'
import { afterLife, killsOf, killsText, newStory } from '../src/kill-story.js'
import { readArguments } from '../src/options.js'
import { endedIn, lineCutter, readLine } from '../src/worker-task.js'

describe('arguments', () => {
  test('a plain start asks for nothing', () => {
    expect(readArguments([])).toEqual({
      kind: 'run',
      options: { json: false },
    })
  })

  test('every option is read', () => {
    const args = '--orders 5 --file a --dir b --durability os --json --kills 3 --seed 9'.split(' ')
    expect(readArguments(args)).toEqual({
      kind: 'run',
      options: {
        orders: 5,
        file: 'a',
        dir: 'b',
        durability: 'os',
        json: true,
        kills: 3,
        seed: 9,
      },
    })
  })

  test('help names each option', () => {
    const asked = readArguments(['--help'])
    const text = asked.kind === 'help' ? asked.text : ''
    for (const name of ['orders', 'file', 'dir', 'durability', 'json', 'kills', 'seed']) {
      expect(text).toContain(`--${name}`)
    }
  })

  test.each([
    ['--orders 0', /1 to/],
    ['--orders many', /--orders/],
    ['--orders -1', /--orders/],
    ['--orders', /argument missing/],
    ['--kills 1.5', /--kills/],
    ['--seed 4294967296', /--seed/],
    ['--durability never', /sync, os, memory/],
    ['--colour', /unknown option/],
    ['extra', /too many arguments/],
    ['--durability memory --kills 2', /excludes --kills/],
  ])('%s is refused', (args, reason) => {
    let thrown: unknown
    try {
      readArguments(args.split(' '))
    } catch (error) {
      thrown = error
    }
    expect(DemoError.is(thrown) ? thrown.code : thrown).toBe('BAD_ARGUMENT')
    expect(String(thrown)).toMatch(reason)
  })
})

describe('the plan of the kills', () => {
  const whole = { kills: 20, made: 0, orders: 6_919, ended: 0 }
  const plan = planKills(seededRandom(7), whole)

  test('is fixed by the seed', () => {
    expect(planKills(seededRandom(7), whole)).toEqual(plan)
    expect(planKills(seededRandom(8), whole)).not.toEqual(plan)
  })

  test('comes while work is pending, in ascending progress', () => {
    const progress = plan.map(({ atEnded }) => atEnded)
    expect(progress).toEqual(progress.toSorted((left, right) => left - right))
    expect(progress.at(-1)).toBeLessThan(6_919 * 0.86)
  })

  test('puts every fourth before a book entry and deletes checkpoints at half of them', () => {
    expect(plan.filter(({ isBeforeBook }) => isBeforeBook)).toHaveLength(5)
    expect(plan.filter(({ dropsCheckpoints }) => dropsCheckpoints)).toHaveLength(10)
  })

  test('tries a stranded half with and without its checkpoints', () => {
    const drops = plan.filter(({ isBeforeBook }) => isBeforeBook)
    expect(new Set(drops.map(({ dropsCheckpoints }) => dropsCheckpoints)).size).toBe(2)
  })

  test('goes on over what is left, and makes none where nothing is', () => {
    const late = planKills(seededRandom(7), { ...whole, made: 11, ended: 5_000 })
    expect(late).toHaveLength(9)
    for (const { atEnded, givenUpAtEnded } of late) {
      expect(atEnded).toBeGreaterThanOrEqual(5_000)
      expect(givenUpAtEnded).toBeLessThan(6_919)
    }
    // The eleventh and the one after it: the fourth of each four holds a half, as before.
    expect(late.map(({ isBeforeBook }) => isBeforeBook).slice(0, 2)).toEqual([true, false])
    expect(planKills(seededRandom(7), { ...whole, made: 3, ended: 6_900 })).toEqual([])
    expect(planKills(seededRandom(7), { ...whole, made: 20, ended: 3_000 })).toEqual([])
  })
})

describe('the story of the kills', () => {
  const kill = {
    atEnded: 1_000,
    delayMs: 0,
    isBeforeBook: true,
    givenUpAtEnded: 2_900,
    dropsCheckpoints: true,
  }
  const life = {
    kill,
    killedAtMs: 5,
    orders: 3_000,
    ended: 1_100,
    wasHolding: true,
    couldHold: true,
    logBytes: 9_000,
    checkpointBytes: 1_000,
    checkpointsDeleted: 1,
  }

  test('demands what could be reached', () => {
    expect(killsOf(afterLife(newStory(4, 7), life))).toEqual({
      planned: 1,
      withWorkPending: 1,
      strandsDemanded: 1,
      strandedHalves: 1,
      deletionsDemanded: 1,
      checkpointsDeleted: 1,
    })
    const missed = { ...life, wasHolding: false, ended: 3_000, checkpointsDeleted: 0 }
    expect(killsOf(afterLife(newStory(4, 7), missed))).toMatchObject({
      planned: 1,
      withWorkPending: 0,
      strandsDemanded: 1,
      strandedHalves: 0,
      deletionsDemanded: 1,
      checkpointsDeleted: 0,
    })
  })

  test('demands nothing of a kill that came too late for it', () => {
    const late = {
      ...life,
      kill: { ...kill, atEnded: 2_950 },
      killedAtMs: undefined,
      ended: 3_000,
      wasHolding: false,
      couldHold: false,
      checkpointsDeleted: 0,
    }
    const story = afterLife(newStory(4, 7), late)
    expect(new Set(Object.values(killsOf(story)))).toEqual(new Set([0]))
    expect(killsText(story)).toBe('0 of 4 kills (seed 7)')
  })
})

describe('lines of the worker', () => {
  test('an unterminated last line is dropped, however the bytes come', () => {
    const lines: string[] = []
    const cut = lineCutter((line) => lines.push(line))
    for (const piece of ['pla', 'ced 1\nended 1 com', 'pleted', '\n', 'ended 2 comp']) cut(piece)
    expect(lines).toEqual(['placed 1', 'ended 1 completed'])
  })

  test('are told apart', () => {
    expect(readLine('placed 12')).toEqual({ kind: 'placed', order: 12, text: 'placed 12' })
    expect(readLine('holding 3')).toEqual({ kind: 'holding', order: 3 })
    expect(readLine('work {}')).toEqual({ kind: 'work', json: '{}' })
    expect(readLine('placed x')).toEqual({ kind: 'other', text: 'placed x' })
    expect(endedIn(['placed 1', 'ended 2 completed'])).toEqual(new Set([2]))
  })
})
