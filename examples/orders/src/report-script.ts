/** The script of the report page. It runs in a browser that has `uPlot` and the series. */

export const PAGE_SCRIPT = `
const series = JSON.parse(document.getElementById('series').textContent)
const colours = { completed: '#2da44e', 'out-of-stock': '#d4a72c', 'not-approved': '#0969da', 'payment-refused': '#bc4c00', 'timed-out': '#8250df' }
const names = Object.keys(colours)
const width = Math.min(1040, document.body.clientWidth - 32)

// The rare outcomes lie at the bottom, where their share can be seen.
const order = names.slice().reverse()
function stack(rows, length) {
  const sums = new Array(length).fill(0)
  return order.map((name) => rows[name].map((value, i) => (sums[i] += value)))
}
function drawn(rows, stacked, extra) {
  return order.map((name, i) => ({
    label: name, stroke: colours[name], fill: colours[name], points: { show: false }, ...extra,
    value: (u, v, si, index) => (index == null ? '' : rows[name][index].toLocaleString('en-US')),
    data: stacked[i],
  })).reverse()
}
function killLines(u) {
  u.ctx.save()
  u.ctx.strokeStyle = '#cf222e'
  for (const at of series.kills) {
    const x = Math.round(u.valToPos(at, 'x', true))
    u.ctx.beginPath()
    u.ctx.moveTo(x, u.bbox.top)
    u.ctx.lineTo(x, u.bbox.top + u.bbox.height)
    u.ctx.stroke()
  }
  u.ctx.restore()
}
const ended = drawn(series.ended, stack(series.ended, series.seconds.length), {})
new uPlot({
  width, height: 320, scales: { x: { time: false } }, hooks: { draw: [killLines] },
  axes: [{ label: 'seconds' }, { label: 'orders ended', size: 70 }],
  series: [{ label: 'seconds', value: (u, v) => (v == null ? '' : v.toFixed(2)) }, ...ended],
}, [series.seconds, ...ended.map((s) => s.data)], document.getElementById('ended'))

const bounds = series.boundsMs
const labels = bounds.map((bound) => '< ' + (bound < 1000 ? bound + ' ms' : bound / 1000 + ' s'))
labels.push('longer')
const places = labels.map((_, i) => i)
const bars = uPlot.paths.bars({ size: [0.8, 80] })
const spent = drawn(series.durations, stack(series.durations, labels.length), { paths: bars })
new uPlot({
  width, height: 300, scales: { x: { time: false, range: [-0.6, labels.length - 0.4] } },
  axes: [
    { splits: () => places, values: (u, at) => at.map((i) => labels[i] ?? ''), grid: { show: false } },
    { label: 'sagas', size: 70 },
  ],
  series: [{ label: 'took', value: (u, v) => (v == null ? '' : labels[v]) }, ...spent],
}, [places, ...spent.map((s) => s.data)], document.getElementById('durations'))
`
