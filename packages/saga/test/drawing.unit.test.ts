/** The page of a saga: what stands on it, escaped, readable, and inside of its window. */
import { evolve, saga, type SagaEvent, sagaHtml, sagaInitial } from '@sagalog/saga'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { expect, test } from 'vitest'

const step = { out: t.string, run: () => TE.right('x'), undo: () => TE.right(undefined) }
const trip = saga('trip', 1, t.number)
  .step('a<b', step)
  .step('held', step)
  .step('skipped', step)
  .step('doubted', step)
  .step('undone', step)
  .pivot('charged', { out: t.string, run: step.run })
  .end()

const events: readonly SagaEvent[] = [
  { type: 'StepStarted', data: { step: 'a<b', attempt: undefined } },
  { type: 'StepDone', data: { step: 'a<b', result: 'x' } },
  { type: 'StepSkipped', data: { step: 'skipped' } },
  { type: 'StepTimedOut', data: { step: 'doubted' } },
  { type: 'UndoStarted', data: { step: 'undone' } },
  { type: 'StepRefused', data: { step: 'charged', refusal: 'no' } },
  { type: 'StepQueued', data: { step: 'held', attempt: 1 } },
]
const page = sagaHtml(trip, {
  sagaId: `s-${'x'.repeat(150)}`,
  state: events.reduce(evolve, sagaInitial),
  history: [],
})

const words = ['done', 'waits for its limit', 'skipped', 'in doubt', 'being undone', 'refused']

test('each step says how it stands, and no text of a user is markup', () => {
  const said = [...page.matchAll(/<em[^>]*>([^<]*)/g)].map(([, word]) => word)
  expect(said).toEqual(words)
  expect(page).toContain('<b>a&lt;b</b>')
  expect(page).not.toContain('a<b</b>')
})

/** Relative luminance as WCAG 2 defines it. */
function luminance(colour: string): number {
  const part = (at: number): number => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255
    return value <= 0.040_45 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }
  return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
}

test('every word of a standing has a contrast of 4.5 to its ground', () => {
  const pairs = [...page.matchAll(/background:(#\w{6})[^>]*>(?:(?!<\/div>).)*color:(#\w{6})/g)]
  expect(pairs).toHaveLength(words.length)
  for (const [, ground = '', text = ''] of pairs) {
    const contrast = (luminance(ground) + 0.05) / (luminance(text) + 0.05)
    expect(contrast, `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5)
  }
})

test('a long name breaks, and a narrow window gets its own width', () => {
  expect(page).toContain('<meta name="viewport" content="width=device-width')
  expect(page).toMatch(/body\{[^}]*overflow-wrap:anywhere/)
  expect(page).toMatch(/\.step\{[^}]*max-width/)
  expect(page).not.toMatch(/\.step\{[^}]*nowrap/)
  // There the lines of the history stand under each other, and no word of theirs is broken.
  expect(page).toMatch(/@media\(max-width:40rem\)\{[^@]*tr\{display:grid/)
  expect(page).toMatch(/td\.w\{[^}]*overflow-wrap:break-word/)
})
