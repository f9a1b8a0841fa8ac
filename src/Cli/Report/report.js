// The list of latents and the page of each. Everything shown comes from the data files beside this page, as text: nothing is parsed as HTML.
(() => {
  'use strict';
  const report = window.monolossReport;
  const PAGE = 50;
  const MARGIN_OF_PICTURES = '600px';
  const SVG = 'http://www.w3.org/2000/svg';
  const view = { overview: byId('overview'), latents: byId('latents'), latent: byId('latent') };
  const places = new Map();
  const pending = new Map();
  let order = [];
  let listHash = '#/latents';
  let generation = 0;
  let currentHash = null;

  if (!report || !report.runs.some(run => run.id.length)) {
    return;
  }

  const many = report.runs.length > 1;
  report.runs.forEach((run, number) => {
    run.number = number;
    run.position = new Map(run.id.map((latent, position) => [latent, position]));
    const ranked = run.id.map((_, position) => position).sort((a, b) => (run.mono[b] ?? -2) - (run.mono[a] ?? -2) || a - b);
    run.ranked = ranked;
    run.rank = [];
    ranked.forEach((position, rank) => { run.rank[position] = rank; });
  });

  // ---- Elements ----

  function byId(id) {
    return document.getElementById(id);
  }

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes ?? {})) {
      if (value === true) {
        made.setAttribute(key, '');
      } else if (value !== null && value !== undefined && value !== false) {
        made.setAttribute(key, value);
      }
    }

    made.append(...children.filter(child => child !== null && child !== undefined));
    return made;
  }

  function drawing(name, attributes, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) {
      made.setAttribute(key, value);
    }

    if (text !== undefined) {
      made.textContent = text;
    }

    return made;
  }

  function isolated(text) {
    return element('bdi', null, text);
  }

  function fixed(value, digits) {
    return value === null || value === undefined ? '–' : value.toFixed(digits);
  }

  function whole(value) {
    return value.toLocaleString('en-US');
  }

  function share(count, rows) {
    if (!rows) {
      return whole(count);
    }

    const percent = 100 * count / rows;
    return `${percent === 0 || percent >= 10 ? percent.toFixed(0) : percent.toPrecision(2)} %`;
  }

  // ---- Pictures ----

  function picture(image) {
    return report.thumbs ? report.thumbs[image] : `thumbs/${String(Math.floor(image / 1000)).padStart(3, '0')}/${image}.webp`;
  }

  function tile(image, description, position) {
    const shown = element('img', { src: picture(image), alt: description, title: description, loading: 'lazy', decoding: 'async' });
    const made = element('span', { class: 'tile' }, shown);
    if (position >= 0 && report.patches > 0) {
      const [x, y, size] = [position % report.patches, Math.floor(position / report.patches), 100 / report.patches];
      const mark = element('i', { style: `left:${x * size}%;top:${y * size}%;width:${size}%;height:${size}%` });
      made.append(mark);
    }

    return made;
  }

  function cover(run, position, count) {
    const box = element('div', { class: 'thumbs' });
    for (const [image, patch] of (run.cover?.[position] ?? []).slice(0, count)) {
      box.append(tile(image, `a top sample of latent ${run.id[position]}`, patch));
    }

    return box;
  }

  // ---- What is known of a latent ----

  function labelOf(run, position) {
    const label = run.label?.[position] ?? -1;
    return label < 0 ? null : report.texts[label];
  }

  // A class that is a number says nothing without a word.
  function inWords(label) {
    return /^-?[0-9]+$/.test(label) ? `label ${label}` : label;
  }

  function nameOf(run, position) {
    const name = run.name?.[position] ?? -1;
    return name < 0 ? null : report.texts[name];
  }

  function otherRun(run) {
    return many ? report.runs[run.number === 0 ? 1 : 0] : null;
  }

  function counterpart(run, position, other) {
    const match = run.match?.[other.number];
    return match ? { latent: match.latent[position], cosine: match.cosine[position] } : null;
  }

  function difference(run, position) {
    const other = otherRun(run);
    const match = other && counterpart(run, position, other);
    const at = match && other.position.get(match.latent);
    return at === null || at === undefined ? null : run.mono[position] - other.mono[at];
  }

  function link(run, latent, text) {
    const shown = text ?? `latent ${latent}`;
    return run.position.has(latent) ? element('a', { href: `#/latent/${run.number}/${latent}` }, shown) : element('span', null, shown);
  }

  // ---- Chunks: the details of latents come in files of report.chunk latents each ----

  function details(run, position) {
    const chunk = Math.floor(position / report.chunk);
    const key = `${run.number}/${chunk}`;
    const found = () => window.monolossChunks?.[key]?.[position - (chunk * report.chunk)];
    if (found() || report.single) {
      return Promise.resolve(found());
    }

    const name = `data/${run.number}/${String(chunk).padStart(4, '0')}.js`;
    if (!pending.has(name)) {
      pending.set(name, new Promise((resolve, reject) => {
        const script = element('script', { src: name });
        script.onload = resolve;
        script.onerror = () => {
          pending.delete(name);
          reject(new Error(`${name} cannot be read`));
        };
        document.head.append(script);
      }));
    }

    return pending.get(name).then(found);
  }

  // ---- The list ----

  const sorts = {
    mono: ['MonoScore', (run, at) => run.mono[at]],
    purity: ['purity', (run, at) => run.purity?.[at]],
    weighted: ['purity, weighted', (run, at) => run.weighted?.[at]],
    density: ['density', (run, at) => run.fired[at]],
    mean: ['mean activation', (run, at) => run.mean[at]],
    max: ['largest activation', (run, at) => run.max[at]],
    difference: ['difference to the other run', difference],
    cosine: ['cosine to the other run', (run, at) => otherRun(run) && counterpart(run, at, otherRun(run))?.cosine],
    duplicates: ['near-duplicates', (run, at) => run.duplicates?.[at]],
    number: ['number', (run, at) => run.id[at]],
  };

  function hasSort(key) {
    return report.runs.some(run => run.id.some((_, at) => Number.isFinite(sorts[key][1](run, at))));
  }

  const usable = Object.keys(sorts).filter(hasSort);

  function readState(hash) {
    const query = new URLSearchParams(hash.split('?')[1] ?? '');
    const number = (key, fallback) => {
      const value = Number.parseFloat(query.get(key) ?? '');
      return Number.isFinite(value) ? value : fallback;
    };
    return {
      run: Math.min(Math.max(Math.trunc(number('run', report.runs.length - 1)), 0), report.runs.length - 1),
      text: query.get('q') ?? '',
      sort: usable.includes(query.get('sort')) ? query.get('sort') : 'mono',
      up: query.get('dir') === 'up',
      rows: number('rows', report.rows),
      score: number('score', null),
      duplicates: query.get('duplicates') === '1',
    };
  }

  function hashOf(state) {
    const query = new URLSearchParams();
    query.set('run', state.run);
    for (const [key, value, usual] of [
      ['q', state.text, ''], ['sort', state.sort, 'mono'], ['dir', state.up ? 'up' : '', ''], ['rows', state.rows, report.rows],
      ['score', state.score ?? '', ''], ['duplicates', state.duplicates ? '1' : '', ''],
    ]) {
      if (value !== usual) {
        query.set(key, value);
      }
    }

    return `#/latents?${query}`;
  }

  function choose(state) {
    const run = report.runs[state.run];
    const wanted = state.text.trim().toLowerCase();
    const value = sorts[state.sort][1];
    const chosen = [];
    for (let at = 0; at < run.id.length; at++) {
      const passes = run.fired[at] >= state.rows
        && (state.score === null || run.mono[at] >= state.score)
        && (!state.duplicates || run.duplicates?.[at] > 0)
        && (wanted === '' || String(run.id[at]) === wanted
          || labelOf(run, at)?.toLowerCase().includes(wanted) || nameOf(run, at)?.toLowerCase().includes(wanted));
      if (passes) {
        chosen.push([at, value(run, at)]);
      }
    }

    const sign = state.up ? 1 : -1;
    return chosen.sort(([a, x], [b, y]) => {
      const [known, alsoKnown] = [Number.isFinite(x), Number.isFinite(y)];
      return known && alsoKnown ? (sign * (x - y)) || (a - b) : (alsoKnown - known) || (a - b);
    }).map(([at]) => at);
  }

  function bar(value) {
    const width = Math.max(0, Math.min(1, value ?? 0)) * 100;
    return element('span', { class: 'bar', 'aria-hidden': 'true' }, element('i', { style: `width:${width}%` }));
  }

  function headings(run) {
    return ['latent', run.cover ? 'top samples' : null, run.name ? 'name' : null, run.label ? 'label' : null, 'MonoScore',
      run.purity ? 'purity' : null, 'density', 'largest', many && run.match ? 'difference' : null].filter(name => name);
  }

  function row(run, at) {
    const cell = (name, ...children) => element('td', { 'data-name': name }, ...children);
    const text = value => element('td', { class: 'text' }, element('span', null, value === null ? '–' : isolated(value)));
    const signed = difference(run, at);
    return element('tr', null,
      element('td', null, link(run, run.id[at], String(run.id[at]))),
      run.cover ? element('td', { class: 'pictures' }, cover(run, at, 6)) : null,
      run.name ? text(nameOf(run, at)) : null,
      run.label ? text(labelOf(run, at)) : null,
      cell('MonoScore', fixed(run.mono[at], 3), bar(run.mono[at])),
      run.purity ? cell('purity', fixed(run.purity[at], 3)) : null,
      cell('density', share(run.fired[at], run.rows)),
      cell('largest', fixed(run.max[at], 3)),
      many && run.match ? cell('difference', signed === null ? '–' : (signed > 0 ? '+' : signed < 0 ? '−' : '') + Math.abs(signed).toFixed(3)) : null);
  }

  function showList(hash) {
    const state = readState(hash);
    const run = report.runs[state.run];
    listHash = hash;
    order = choose(state);
    const change = (key, value) => location.replace(hashOf({ ...state, [key]: value }));
    const option = (value, text, selected) => element('option', { value, selected }, text);
    const on = (made, event, action) => {
      made.addEventListener(event, () => action(made));
      return made;
    };
    const search = on(element('input', {
      type: 'search', id: 'search', placeholder: run.name ? 'number, label or name' : 'number or label', value: state.text,
      'aria-label': 'Search by number, label or name',
    }), 'input', box => {
      clearTimeout(search.timer);
      search.timer = setTimeout(() => change('text', box.value), 150);
    });
    const number = (value, step) => element('input', { type: 'number', min: '0', step, value: value ?? '' });
    const asNumber = (box, fallback) => box.value === '' ? fallback : Number.parseFloat(box.value);
    const controls = element('div', { class: 'controls' },
      many ? element('label', null, 'run', on(element('select', { id: 'run' },
        ...report.runs.map(each => option(each.number, each.title, each === run))), 'change', box => change('run', Number(box.value)))) : null,
      search,
      element('label', null, 'sort by', on(element('select', { id: 'sort' },
        ...usable.map(key => option(key, sorts[key][0], key === state.sort))), 'change', box => change('sort', box.value))),
      on(element('button', { type: 'button', id: 'direction', 'aria-label': state.up ? 'smallest first' : 'largest first' },
        state.up ? '↑ smallest first' : '↓ largest first'), 'click', () => change('up', !state.up)),
      element('label', null, 'fires on at least', on(number(state.rows, '1'), 'change', box => change('rows', asNumber(box, 0))), 'rows'),
      element('label', null, 'MonoScore from', on(number(state.score, '0.1'), 'change', box => change('score', asNumber(box, null)))),
      report.runs.some(each => each.duplicates) ? element('label', null, on(element('input', {
        type: 'checkbox', checked: state.duplicates,
      }), 'change', box => change('duplicates', box.checked)), 'near-duplicates only') : null);
    const body = element('tbody');
    const more = element('button', { type: 'button' });
    let shown = 0;
    const extend = count => {
      const next = order.slice(shown, shown + count).map(at => row(run, at));
      body.append(...next);
      shown += next.length;
      more.hidden = shown >= order.length;
      more.textContent = `Show ${Math.min(PAGE, order.length - shown)} more of ${whole(order.length - shown)}`;
    };
    const place = places.get(hash);
    extend(Math.max(PAGE, place?.shown ?? 0));
    more.addEventListener('click', () => extend(PAGE));
    new IntersectionObserver(entries => {
      if (entries.some(entry => entry.isIntersecting) && shown < order.length) {
        extend(PAGE);
      }
    }, { rootMargin: MARGIN_OF_PICTURES }).observe(more);
    const counted = run.id.length < run.latents
      ? `the best ${whole(run.id.length)} of ${whole(run.latents)} latents are in this file` : `of ${whole(run.latents)} latents`;
    const focused = document.activeElement?.id;
    const caret = focused === 'search' ? document.activeElement.selectionStart : null;
    view.latents.replaceChildren(controls,
      element('p', { class: 'soft', 'aria-live': 'polite', id: 'count' }, `${whole(order.length)} shown, ${counted}; figures on ${run.set}`),
      order.length === 0 ? element('p', { class: 'card' }, 'No latent fits. Change the search or the filters.')
        : element('div', { class: 'card' }, element('table', { class: 'list' },
          element('thead', null, element('tr', null, ...headings(run).map(name =>
            element('th', { class: ['name', 'label', 'top samples'].includes(name) ? 'text' : null }, name)))), body)),
      more);
    view.latents.shown = () => shown;
    if (focused && byId(focused)) {
      byId(focused).focus();
      if (caret !== null) {
        byId(focused).setSelectionRange(caret, caret);
      }
    }

    return place?.scroll ?? 0;
  }

  // ---- A latent ----

  function histogram([width, counts]) {
    const last = counts.findLastIndex(count => count > 0) + 1;
    const [w, h, left, bottom] = [520, 170, 46, 24];
    const most = Math.max(...counts);
    const svg = drawing('svg', { viewBox: `0 0 ${w} ${h}`, role: 'img', 'aria-label': 'Histogram of activations' });
    for (const level of [0, 0.5, 1]) {
      const y = h - bottom - (level * (h - bottom - 12));
      svg.append(drawing('line', { x1: left, x2: w, y1: y, y2: y, class: 'grid' }),
        drawing('text', { x: left - 6, y, class: 'tick end' }, whole(Math.round(level * most))));
    }

    const slot = (w - left) / last;
    for (let bin = 0; bin < last; bin++) {
      const height = counts[bin] / most * (h - bottom - 12);
      const rectangle = drawing('rect', { x: left + (bin * slot) + 1, width: Math.max(1, slot - 2), y: h - bottom - height, height, class: 'solid0' });
      rectangle.append(drawing('title', {}, `${(bin * width).toPrecision(3)} to ${((bin + 1) * width).toPrecision(3)}: ${whole(counts[bin])} rows`));
      svg.append(rectangle);
    }

    for (const level of [0, 0.5, 1]) {
      svg.append(drawing('text', { x: left + (level * (w - left)), y: h - 8, class: level === 0 ? 'tick' : level === 1 ? 'tick end' : 'tick middle' },
        (level * last * width).toPrecision(2)));
    }

    return svg;
  }

  function samplesOf(detail, rank) {
    return detail.samples.filter(sample => sample[0] === rank);
  }

  function sampleGrid(title, samples) {
    if (samples.length === 0) {
      return null;
    }

    return element('section', null, element('h3', null, title), element('div', { class: 'samples' }, ...samples.map(sample => {
      const [, line, activation, image, label, id, patch] = sample;
      const text = label >= 0 ? report.texts[label] : null;
      const where = `${id === null ? `row ${line}` : id}${patch >= 0 ? `, patch ${patch}` : ''}`;
      return element('figure', null,
        image >= 0 ? tile(image, `${where}${text === null ? '' : `, ${text}`}`, patch) : null,
        element('figcaption', { title: where }, element('b', null, activation.toPrecision(3)), ' ', text === null ? null : isolated(inWords(text)),
          image >= 0 ? null : element('span', null, ' ', isolated(where))));
    })));
  }

  function labelBars(labels, fired) {
    const bars = element('div', { class: 'bars' });
    for (const [label, count] of labels) {
      bars.append(isolated(inWords(report.texts[label])), element('span', { class: 'bar' },
        element('i', { style: `width:${100 * count / fired}%` })), element('span', null, `${whole(count)} (${share(count, fired)})`));
    }

    return bars;
  }

  function others(title, run, entries, describe) {
    if (!entries || entries.length === 0) {
      return null;
    }

    return element('div', { class: 'card' }, element('h3', null, title), element('div', { class: 'mini' }, ...entries.map(entry => {
      const at = run.position.get(entry.latent);
      const name = at === undefined ? null : nameOf(run, at) ?? labelOf(run, at);
      const label = name === null ? null : inWords(name);
      return element('div', null,
        element('span', { class: 'what' }, link(run, entry.latent), ' ', element('span', { class: 'soft' }, describe(entry, at)),
          label === null ? null : ' ', label === null ? null : isolated(label)),
        at === undefined ? null : cover(run, at, 5));
    })));
  }

  function nameList(title, names) {
    return names && names.length > 0 ? element('div', { class: 'card' }, element('h3', null, title), element('div', { class: 'bars' },
      ...names.flatMap(([text, cosine]) => [isolated(report.texts[text]), bar(cosine), element('span', null, cosine.toFixed(3))]))) : null;
  }

  function counterparts(run, at) {
    return report.runs.filter(other => other !== run).map(other => {
      const match = counterpart(run, at, other);
      const ranked = other.ranked[run.rank[at]];
      const score = (_, position) => position === undefined ? '' : `MonoScore ${fixed(other.mono[position], 3)}`;
      return others(`Counterpart in ${other.title}`, other, [
        ...(match ? [{ latent: match.latent, how: `cosine ${match.cosine.toFixed(3)}` }] : []),
        ...(ranked === undefined || report.single ? [] : [{ latent: other.id[ranked], how: `of the same rank (${run.rank[at] + 1})` }]),
      ], (entry, position) => `${entry.how}, ${score(entry, position)}`);
    });
  }

  function showLatent(run, at) {
    const latent = run.id[at];
    const place = order.indexOf(at);
    const step = (offset, text) => {
      const to = order[place + offset];
      return place >= 0 && to !== undefined
        ? element('a', { href: `#/latent/${run.number}/${run.id[to]}`, rel: offset < 0 ? 'prev' : 'next' }, text) : element('span', { class: 'soft' }, text);
    };
    const card = (value, text) => element('div', { class: 'card' }, element('b', null, value), element('span', { class: 'soft' }, text));
    const label = labelOf(run, at);
    const title = element('h2', { tabindex: '-1' }, `Latent ${latent}`, many ? ' of ' : null, many ? isolated(run.title) : null,
      nameOf(run, at) === null ? null : ': ', nameOf(run, at) === null ? null : isolated(nameOf(run, at)));
    const body = element('div', null, element('p', { class: 'soft' }, 'reading …'));
    view.latent.replaceChildren(
      element('div', { class: 'moves' }, element('a', { href: listHash }, '← list'), step(-1, '‹ previous'), step(1, 'next ›'),
        place >= 0 ? element('span', { class: 'soft' }, `${whole(place + 1)} of ${whole(order.length)} in the list`) : null),
      title,
      element('div', { class: 'figures' },
        card(fixed(run.mono[at], 4), `MonoScore, rank ${whole(run.rank[at] + 1)}`),
        run.purity ? card(fixed(run.purity[at], 3), label === null ? 'purity' : element('span', null, 'purity, ', isolated(inWords(label)))) : null,
        card(share(run.fired[at], run.rows), run.rows ? `of rows: ${whole(run.fired[at])}` : 'rows'),
        card(fixed(run.mean[at], 3), 'mean activation'),
        card(fixed(run.max[at], 3), 'largest activation'),
        run.duplicates ? card(whole(run.duplicates[at]), 'near-duplicates') : null),
      body);
    title.focus({ preventScroll: true });
    const current = generation;
    details(run, at).then(detail => {
      if (current !== generation) {
        return;
      }

      if (!detail) {
        body.replaceChildren(element('p', { class: 'soft' }, 'Nothing more is known of this latent.'));
        return;
      }

      const cosine = entry => `cosine ${entry.cosine.toFixed(3)}`;
      const pairs = (list, key) => list?.map(([other, value]) => ({ latent: other, [key]: value }));
      body.replaceChildren(...[
        ...[['Top samples', 0], ['Middle samples', 1], ['Bottom samples', 2]].map(([text, rank]) => {
          const grid = sampleGrid(text, samplesOf(detail, rank));
          return grid && element('div', { class: 'card', style: 'margin-top:14px' }, grid);
        }),
        run.fired[at] === 0 ? element('p', { class: 'card' }, `It never fires on ${run.set}.`) : null,
        element('div', { class: 'grid2', style: 'margin-top:18px' }, ...[
          detail.histogram && run.fired[at] > 0 ? element('div', { class: 'card' }, element('h3', null, 'Activations'), histogram(detail.histogram)) : null,
          detail.labels?.length > 0 ? element('div', { class: 'card' }, element('h3', null, 'Labels of the rows it fires on'), labelBars(detail.labels, run.fired[at])) : null,
          nameList('Nearest texts', detail.names),
          nameList('Nearest texts, the vocabulary’s mean taken off', detail.centered),
          ...counterparts(run, at),
          others('Nearest by decoder cosine', run, pairs(detail.near, 'cosine'), cosine),
          others('Fires on the same rows', run, pairs(detail.together, 'share'), entry =>
            `together on ${share(entry.share, 1)} of their rows`),
        ].filter(part => part)),
      ].filter(part => part));
    }).catch(error => {
      body.replaceChildren(element('p', { class: 'card' }, error.message));
    });
    return 0;
  }

  // ---- Which view ----

  function show() {
    generation++;
    const hash = location.hash || '#/';
    const [, name, number, latent] = hash.split('?')[0].split('/');
    const run = report.runs[number];
    const at = run?.position.get(Number(latent));
    let current = 'overview';
    let scroll = places.get(hash)?.scroll ?? 0;
    if (name === 'latents') {
      current = 'latents';
      scroll = showList(hash);
    } else if (name === 'latent' && at !== undefined) {
      current = 'latent';
      if (!order.includes(at) || readState(listHash).run !== run.number) {
        listHash = hashOf({ ...readState('#/latents'), run: run.number, rows: Math.min(report.rows, run.fired[at]) });
        order = choose(readState(listHash));
      }

      scroll = showLatent(run, at);
    }

    for (const [key, section] of Object.entries(view)) {
      section.hidden = key !== current;
    }

    for (const tab of document.querySelectorAll('nav a')) {
      const isCurrent = tab.dataset.view === (current === 'latent' ? 'latents' : current);
      tab.toggleAttribute('aria-current', isCurrent);
      if (tab.dataset.view === 'latents') {
        tab.href = listHash;
      }
    }

    document.title = current === 'latent' ? `Latent ${latent} – ${report.title}` : `${report.title} – MonoLoss`;
    window.scrollTo(0, scroll);
    currentHash = hash;
  }

  function remember() {
    places.set(currentHash, { scroll: window.scrollY, shown: view.latents.hidden ? 0 : view.latents.shown?.() });
  }

  function step(offset) {
    const links = [...view.latents.querySelectorAll('.list tbody a')];
    const now = links.indexOf(document.activeElement);
    (links[now + offset] ?? links[now] ?? links[0])?.focus();
  }

  function key(event) {
    const typing = event.target.matches('input, select, textarea');
    if (event.ctrlKey || event.altKey || event.metaKey || byId('help').open || (typing && event.key !== 'Escape')) {
      return;
    }

    const go = hash => { location.hash = hash; };
    const along = relation => view.latent.hidden ? null : view.latent.querySelector(`a[rel=${relation}]`)?.click();
    const actions = {
      '/': () => {
        if (view.latents.hidden) {
          go(listHash);
          setTimeout(() => byId('search').focus());
        } else {
          byId('search').focus();
        }
      },
      j: () => step(1),
      k: () => step(-1),
      ArrowLeft: () => along('prev'),
      ArrowRight: () => along('next'),
      Escape: () => typing ? event.target.blur() : view.latent.hidden ? null : go(listHash),
      o: () => go('#/'),
      l: () => go(listHash),
      '?': () => byId('help').showModal(),
    };
    if (actions[event.key]) {
      if (['/', '?'].includes(event.key)) {
        event.preventDefault();
      }

      actions[event.key]();
    }
  }

  for (const box of document.querySelectorAll('#overview [data-latent]')) {
    const run = report.runs[box.dataset.run];
    const at = run.position.get(Number(box.dataset.latent));
    if (at !== undefined && run.cover?.[at]?.length > 0) {
      box.replaceChildren(...cover(run, at, Number(box.dataset.count)).childNodes);
    }
  }

  history.scrollRestoration = 'manual';
  document.querySelector('nav').hidden = false;
  byId('help-button').addEventListener('click', () => byId('help').showModal());
  document.addEventListener('keydown', key);
  window.addEventListener('scroll', remember, { passive: true });
  window.addEventListener('hashchange', show);
  show();
})();
