import { seededRandom } from '@sagalog/kernel/testing'
import { describe, expect, test } from 'vitest'
import { DemoError } from '../src/errors.js'
import { planKills } from '../src/kill-plan.js'
import { readArguments } from '../src/options.js'
import { endedIn, lineCutter, readLine } from '../src/worker-task.js'

describe('arguments', () => {
  test('a plain start asks for nothing', () => {
    expect(readArguments([])).toEqual({
      kind: 'run',
      options: { json: false, kills: 0, seed: 1 },
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
  const plan = planKills(seededRandom(7), 20, 6_919)

  test('is fixed by the seed', () => {
    expect(planKills(seededRandom(7), 20, 6_919)).toEqual(plan)
    expect(planKills(seededRandom(8), 20, 6_919)).not.toEqual(plan)
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
