import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { showProgress } from '../src/progress-node.js'

/** What a run writes whose error stream is no terminal. */
function written(run: (progress: ReturnType<typeof showProgress>) => void): string {
  const stream = Object.assign(new PassThrough(), { isTTY: false })
  run(showProgress({ total: 10, isQuiet: false, stream: stream as unknown as NodeJS.WriteStream }))
  return String(stream.read() ?? '')
}

test('a short run off a terminal has one line, one that failed at once has none', () => {
  const short = written((progress) => {
    for (let count = 1; count <= 10; count += 1) progress.ended(count)
    progress.stop()
  })
  expect(short).toBe('  100% | 10/10 orders\n')
  expect(written((progress) => progress.stop())).toBe('')
})
