// A report as one page of HTML: a chart, drawn by Apache ECharts on the server's side as SVG, and a table. Built as CommonJS. Only the
// program with a user in front of it may load this; its workers may not.
// @ts-check

import { moduleInit } from 'coexist/module';
import * as echarts from 'echarts';
import { report } from '../interfaces.js';

/** @typedef {import('../interfaces.js').Row} Row */

const SIZE = { width: 720, height: 360 };
const LARGEST = 12;

/** @type {string[]} */
const notes = [];

/** @param {unknown} value */
const escaped = (value) => String(value).replace(/[&<>"]/g, (found) => `&#${found.charCodeAt(0)};`);

/** @param {Row[]} rows */
function chartOf(rows) {
  const shown = [...rows].sort((a, b) => b.bytes - a.bytes).slice(0, LARGEST);
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, ...SIZE });
  try {
    chart.setOption({
      animation: false,
      legend: {},
      grid: { containLabel: true },
      xAxis: { type: 'value', name: 'bytes' },
      yAxis: { type: 'category', inverse: true, data: shown.map(({ path }) => path) },
      series: [
        { name: 'plain', type: 'bar', data: shown.map(({ bytes }) => bytes) },
        { name: 'packed', type: 'bar', data: shown.map(({ packed }) => packed) },
      ],
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

report.implement({
  note: (text) => void notes.push(text),
  async render(title, rows) {
    const lines = rows.map(
      ({ path, bytes, packed }) => `<tr><td>${escaped(path)}</td><td>${bytes}</td><td>${packed}</td></tr>`,
    );
    return [
      `<!doctype html><meta charset="utf-8"><title>${escaped(title)}</title><h1>${escaped(title)}</h1>`,
      chartOf(rows),
      `<ul>${notes.map((text) => `<li>${escaped(text)}</li>`).join('')}</ul>`,
      `<table><tr><th>path</th><th>bytes</th><th>packed</th></tr>${lines.join('')}</table>`,
    ].join('\n');
  },
});

moduleInit('ui', () => {
  echarts.registerTheme('plain', { color: ['#5470c6', '#91cc75'] });
});
