/**
 * Makes the copy of the tree that a planted bug lives in, and runs properties in it or in the real
 * tree. The copy is below the repository, so that its imports of our packages find its own sources
 * and those of others find the repository's.
 */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PlantedBug } from './planted-bug.js'

export const top = fileURLToPath(new URL('../..', import.meta.url))

/** How often the text to replace stands in its file; it must be once. */
export function occurrences({ file, find }: PlantedBug): number {
  const path = join(top, file)
  return existsSync(path) ? readFileSync(path, 'utf8').split(find).length - 1 : 0
}

/** Copies packages and simulation, and applies the patch; gives the folder of the copy. */
export function plantedTree(bug: PlantedBug): string {
  // Bugs of two packages may have the same name.
  const tree = join(top, '.planted', `${bug.test.replaceAll('/', '-')}.${bug.name}`)
  rmSync(tree, { recursive: true, force: true })
  for (const name of readdirSync(join(top, 'packages'))) {
    const from = join(top, 'packages', name)
    const to = join(tree, 'packages', name)
    mkdirSync(to, { recursive: true })
    cpSync(join(from, 'src'), join(to, 'src'), { recursive: true })
    cpSync(join(from, 'package.json'), join(to, 'package.json'))
    link(join(from, 'node_modules'), join(to, 'node_modules'))
  }
  cpSync(join(top, 'test', 'simulation'), join(tree, 'test', 'simulation'), { recursive: true })
  link(join(top, 'test', 'node_modules'), join(tree, 'test', 'node_modules'))
  const path = join(tree, bug.file)
  const source = readFileSync(path, 'utf8')
  writeFileSync(path, source.split(bug.find).join(bug.replace))
  return tree
}

function link(target: string, path: string): void {
  if (existsSync(target)) symlinkSync(target, path, 'dir')
}

export interface PropertyRun {
  readonly isGreen: boolean
  /** The seed that failed and the promises that it broke, when one did. */
  readonly broken: { readonly seed: number; readonly promises: readonly string[] } | undefined
  readonly output: string
}

/** Runs one property in a tree, in a process of its own. */
export function runProperty(
  tree: string,
  options: { readonly test: string; readonly env: Readonly<Record<string, string>> },
): Promise<PropertyRun> {
  const vitest = join(top, 'node_modules', 'vitest', 'vitest.mjs')
  const config = join(top, 'vitest.config.ts')
  const args = [vitest, 'run', '--root', tree, '--config', config, options.test]
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' }
  // What concerns the run that starts this one is not meant for it.
  for (const name of Object.keys(env)) if (/^(SAGALOG_|SEED$|VITEST)/.test(name)) delete env[name]
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: tree, env: { ...env, ...options.env } })
    let output = ''
    const take = (chunk: Buffer): void => {
      output += chunk.toString()
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('error', reject)
    child.on('exit', (code) => {
      const match = /broken at SEED=(\d+): ([a-z -]+)/.exec(output)
      const broken =
        match === null
          ? undefined
          : { seed: Number(match[1]), promises: (match[2] ?? '').trim().split(' ') }
      resolve({ isGreen: code === 0, broken, output })
    })
  })
}
