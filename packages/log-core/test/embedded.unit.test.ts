/** The program of docs/log-core.md, run as it stands there, on the package as it is installed. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)))
const page = join(packageFolder, '..', '..', 'docs', 'log-core.md')

it('the log alone, in about twenty lines', () => {
  const [, program = ''] = /```ts\n([\s\S]*?)```/.exec(readFileSync(page, 'utf8')) ?? []
  const lines = program.split('\n').filter((line) => line.trim() !== '')
  expect(lines.length).toBeLessThanOrEqual(24)
  const directory = mkdtempSync(join(tmpdir(), 'sagalog-embedded-'))
  // Inside the package, where its own name and those it depends on are found.
  const file = join(packageFolder, 'dist', `embedded-${process.pid}.mjs`)
  try {
    writeFileSync(file, program)
    const printed = execFileSync(process.execPath, [file], { cwd: directory, encoding: 'utf8' })
    const [read, ...seen] = printed.trim().split('\n')
    expect(read).toBe('read world')
    expect(seen.map((line) => line.replace(/\d+/, 'n'))).toEqual([
      'seen n hello',
      'seen n world',
      'seen n bye',
    ])
  } finally {
    rmSync(file, { force: true })
    rmSync(directory, { recursive: true, force: true })
  }
})
