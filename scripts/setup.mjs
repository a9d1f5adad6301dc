/**
 * Makes a fresh clone ready: checks Node, installs the frozen lockfile with the pnpm that
 * package.json pins, compiles. Plain Node, because nothing is installed when it starts. It writes
 * to stderr only, so that the output of what runs after it can be read by a program.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export const top = dirname(dirname(fileURLToPath(import.meta.url)))
const stampFile = join(top, '.setup-stamp')
/** What npx and every JavaScript binary need to start on Windows too. */
const isWindows = process.platform === 'win32'
/** A step that takes less is not worth a line. */
const worthSayingMs = 1_000

function say(line) {
  process.stderr.write(`[setup] ${line}\n`)
}

const seconds = (sinceMs) => `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`

function readManifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

/** Ends the process with a sentence when this Node is older than package.json asks for. */
function checkNode(manifest) {
  const wanted = /(\d+)\.(\d+)/.exec(manifest.engines.node)
  const found = process.versions.node.split('.').map(Number)
  const isNew =
    found[0] > Number(wanted[1]) ||
    (found[0] === Number(wanted[1]) && found[1] >= Number(wanted[2]))
  if (isNew) return
  say(
    `Sagalog needs Node ${wanted[1]}.${wanted[2]} or newer; this is Node ${process.versions.node}.`,
  )
  say('Install a newer one from https://nodejs.org and run the command again.')
  process.exit(1)
}

/** Folders of the workspace that have a package.json of their own. */
function workspaceFolders() {
  const folders = []
  for (const group of ['packages', 'examples']) {
    if (!existsSync(join(top, group))) continue
    for (const name of readdirSync(join(top, group)).toSorted()) folders.push(join(group, name))
  }
  return [...folders, 'bench', 'test'].filter((folder) =>
    existsSync(join(top, folder, 'package.json')),
  )
}

/** Changes whenever an install could give another result. */
function installStamp(folders) {
  const hash = createHash('sha256').update(process.version)
  const files = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json']
  for (const file of [...files, ...folders.map((folder) => join(folder, 'package.json'))])
    hash.update(`\n${file}\n`).update(readFileSync(join(top, file)))
  return hash.digest('hex')
}

function isInstalled(stamp, folders) {
  if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== stamp) return false
  return folders.every((folder) => {
    const { dependencies = {} } = readManifest(join(top, folder))
    return Object.keys(dependencies).length === 0 || existsSync(join(top, folder, 'node_modules'))
  })
}

/** Runs a program to its end, keeping quiet unless it fails; says every 10 s that it still runs. */
function runQuietly(label, program, args, shell) {
  const startedMs = Date.now()
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: top, shell, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = []
    child.stdout.on('data', (bytes) => output.push(bytes))
    child.stderr.on('data', (bytes) => output.push(bytes))
    const ticking = setInterval(() => say(`${label}: still at it, ${seconds(startedMs)}`), 10_000)
    const finish = (code, reason) => {
      clearInterval(ticking)
      if (code === 0) {
        if (Date.now() - startedMs >= worthSayingMs) say(`${label}: done in ${seconds(startedMs)}`)
      } else {
        process.stderr.write(Buffer.concat(output))
        say(`${label}: failed ${reason}`)
      }
      resolve(code)
    }
    child.on('error', (error) => finish(1, `(${error.message})`))
    child.on('close', (code, signal) => finish(code ?? 1, `(${signal ?? `exit code ${code}`})`))
  })
}

async function install(manifest, folders) {
  const stamp = installStamp(folders)
  if (isInstalled(stamp, folders)) return
  const pnpm = `pnpm@${manifest.config.pnpm}`
  const label = `install the locked packages with ${pnpm}`
  say(label)
  rmSync(stampFile, { force: true })
  const args = ['--yes', pnpm, 'install', '--frozen-lockfile', '--reporter=append-only']
  const code = await runQuietly('install', 'npx', args, isWindows)
  if (code !== 0) {
    say('The registry must be reachable the first time (npm config get registry).')
    process.exit(code)
  }
  writeFileSync(stampFile, stamp)
}

/** The compiler keeps its own account of what changed, so a build of nothing takes a moment. */
async function build() {
  const isFirst = !existsSync(join(top, 'packages', 'kernel', 'dist', 'index.js'))
  if (isFirst) say('compile all packages')
  const compiler = join(top, 'node_modules', 'typescript', 'bin', 'tsc')
  const code = await runQuietly(
    'compile',
    process.execPath,
    [compiler, '-b', 'tsconfig.build.json'],
    false,
  )
  if (code !== 0) process.exit(code)
}

/** Brings the tree to where every command can run. Ends the process when it can't. */
export async function setUp() {
  const manifest = readManifest(top)
  checkNode(manifest)
  const folders = workspaceFolders()
  await install(manifest, folders)
  await build()
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await setUp()
