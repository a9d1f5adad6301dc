/** Runs the README's program twice: the second time finds what the first left on the disk. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url))
const example = fileURLToPath(new URL('..', import.meta.url))

let cwd = ''
beforeEach(() => {
  expect(existsSync(program), 'run npm run build first').toBe(true)
  cwd = mkdtempSync(join(tmpdir(), 'sagalog-first-steps-'))
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

test('the first steps run, and run again on what is there', () => {
  const run = (): string => execFileSync(process.execPath, [program], { cwd, encoding: 'utf8' })
  expect(run()).toMatch(/stored as message 0 of queue \d\n.* version 1: .*Charged/)
  expect(run()).toMatch(/stored as message 1 of queue \d\n.* version 2: .*Charged/)
})

test('after close no timer is left to keep the process alive', () => {
  const lines = [
    `import { Sagalog } from 'sagalog'`,
    `const app = await Sagalog.open({ dir: process.argv[1] })`,
    `await app.close()`,
    `console.log(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length)`,
    `process.exit()`,
  ]
  const args = ['--input-type=module', '-e', lines.join('\n'), cwd]
  const left = execFileSync(process.execPath, args, { cwd: example, encoding: 'utf8' })
  expect(left.trim()).toBe('0')
})
