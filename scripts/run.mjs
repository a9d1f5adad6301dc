/**
 * Runs one command of package.json: sets the tree up, then hands over. Arguments after `--` go to
 * the program, its exit code comes back, and Ctrl-C reaches it. With SAGALOG_REPORTS naming a
 * directory, each check leaves its result there as JSON for `.ci/run` to count.
 */
import { spawn } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setUp, top } from './setup.mjs'

const reports = process.env.SAGALOG_REPORTS
const modules = (...path) => join(top, 'node_modules', ...path)
const programs = {
  tsc: modules('typescript', 'bin', 'tsc'),
  vitest: modules('vitest', 'vitest.mjs'),
  oxlint: modules('oxlint', 'bin', 'oxlint'),
  oxfmt: modules('oxfmt', 'bin', 'oxfmt'),
  demo: join(top, 'examples', 'orders', 'dist', 'main.js'),
  sagalog: join(top, 'packages', 'sagalog', 'bin', 'sagalog.js'),
  bench: join(top, 'bench', 'dist', 'main.js'),
  soak: join(top, 'scripts', 'soak.mjs'),
  planted: join(top, 'scripts', 'planted.mjs'),
}

/** Runs a Node program in this terminal; gives its exit code, 128 + n for a signal. */
function node(program, args, env = {}) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: top,
      stdio: 'inherit',
      env: { ...process.env, ...env },
    })
    // The terminal sends Ctrl-C to the whole group: the child decides how to end, and we wait.
    const wait = () => {}
    const forward = () => child.kill('SIGTERM')
    process.on('SIGINT', wait)
    process.on('SIGTERM', forward)
    child.on('error', (error) => {
      process.stderr.write(`${error.message}\n`)
      resolve(1)
    })
    child.on('exit', (code, signal) => {
      process.off('SIGINT', wait)
      process.off('SIGTERM', forward)
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143))
    })
  })
}

/** Runs one check and keeps its result; vitest counts its own tests. */
async function check(name, program, args, env) {
  process.stderr.write(`\n[${name}]\n`)
  const startedMs = Date.now()
  const code = await node(program, args, env)
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(1)
  process.stderr.write(`[${name}] ${code === 0 ? 'passed' : `failed (${code})`} in ${seconds} s\n`)
  if (reports !== undefined && program !== programs.vitest) {
    mkdirSync(reports, { recursive: true })
    appendFileSync(join(reports, 'checks.jsonl'), `${JSON.stringify({ name, ok: code === 0 })}\n`)
  }
  return code
}

function vitest(name, args, env) {
  const report = reports === undefined ? [] : ['--reporter=default', '--reporter=json']
  if (reports !== undefined) report.push(`--outputFile.json=${join(reports, `${name}.json`)}`)
  return check(name, programs.vitest, ['run', ...report, ...args], env)
}

const typeCheck = () => check('types', programs.tsc, ['-p', 'tsconfig.check.json'])

/** Runs checks one after another, all of them, and gives the first failure's exit code. */
async function all(...checks) {
  let result = 0
  for (const run of checks) {
    const code = await run()
    if (code >= 128) return code
    if (result === 0) result = code
  }
  return result
}

const lint = () =>
  all(
    () => check('lint', programs.oxlint, []),
    () => check('format', programs.oxfmt, ['--check', '--threads=2']),
  )

/** The demo as a user runs it, with kills, in a directory of its own. */
async function demoWithKills() {
  const directory = mkdtempSync(join(tmpdir(), 'sagalog-demo-'))
  try {
    const dir = join(directory, 'run')
    return await check('demo with kills', programs.demo, ['--kills', '20', '--dir', dir])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const commands = {
  demo: (args) => node(programs.demo, args),
  sagalog: (args) => node(programs.sagalog, args),
  bench: (args) => node(programs.bench, args),
  soak: (args) => node(programs.soak, args),
  lint: () => lint(),
  format: (args) => node(programs.oxfmt, args),
  planted: (args) => node(programs.planted, args),
  test: (args) =>
    args.length > 0 ? vitest('tests', args) : all(typeCheck, () => vitest('tests', [])),
  'test:interop': (args) => vitest('interop', ['test/interop', ...args], { SAGALOG_INTEROP: '1' }),
  'test:cluster': (args) => vitest('cluster', ['test/cluster', ...args], { SAGALOG_INTEROP: '1' }),
  'test:full': (args) =>
    all(lint, typeCheck, () => vitest('tests-full', args, { SAGALOG_FULL: '1' }), demoWithKills),
}

const [name = '', ...args] = process.argv.slice(2)
const command = commands[name]
if (command === undefined) {
  process.stderr.write(
    `usage: node scripts/run.mjs ${Object.keys(commands).join('|')} [arguments]\n`,
  )
  process.exit(2)
}
await setUp()
if (name in programs && !existsSync(programs[name])) {
  process.stderr.write(
    `${programs[name]} is not there: is its package part of tsconfig.build.json?\n`,
  )
  process.exit(1)
}
process.exitCode = await command(args)
