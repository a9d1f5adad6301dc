/** Runs the program twice: the second time finds what the first left on the disk. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const source = fileURLToPath(new URL('../src/main.ts', import.meta.url))

let cwd = ''
beforeEach(() => {
  expect(existsSync(program), 'run npm run build first').toBe(true)
  cwd = mkdtempSync(join(tmpdir(), 'sagalog-embedded-store-'))
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

test('the store runs alone, and again on what is there', () => {
  const run = (): string => execFileSync(process.execPath, [program], { cwd, encoding: 'utf8' })
  expect(run()).toBe('withdrawing a million: TooLittle\nada has { state: 500, version: 1 }\n')
  expect(run()).toContain('ada has { state: 1000, version: 2 }')
})

test('it takes about thirty lines', () => {
  const lines = readFileSync(source, 'utf8').split('\n')
  expect(lines.filter((line) => line !== '' && !line.startsWith('import')).length).toBeLessThan(32)
})
