/// The look of the page.
enum Stylesheet {
  static let css: Markup = "\(colors)\(page)\(tables)\(plots)\(narrow)\(print)"

  /// Colours of text and paper, and of the ten series, on light and on dark paper.
  private static let colors: Markup = """
    :root {
      color-scheme: light dark;
      --paper: #fff; --sheet: #f6f7f9; --ink: #1b1e24; --muted: #626a76; --rule: #e2e5ea;
      --axis: #8a929e; --accent: #0b62c4; --warn: #b3400b;
      --c0: #0b62c4; --c1: #cf4a12; --c2: #0a8a66; --c3: #9c4193; --c4: #b07a00;
      --c5: #1694bd; --c6: #7a583a; --c7: #d93a72; --c8: #6a8a1c; --c9: #666e7b;
    }
    @media screen and (prefers-color-scheme: dark) {
      :root {
        --paper: #14161a; --sheet: #1c1f25; --ink: #e7e9ed; --muted: #9ba3af; --rule: #2c3038;
        --axis: #737b87; --accent: #6bb0ff; --warn: #ff9a66;
        --c0: #5ea9ff; --c1: #ff8657; --c2: #40cfa0; --c3: #dc92d5; --c4: #f0b93c;
        --c5: #62d2f3; --c6: #c9a280; --c7: #ff89b0; --c8: #b5d45f; --c9: #a8b0bc;
      }
    }
    \(classes)
    """

  private static let classes: Markup = {
    let colors = (0..<SeriesStyle.colors).map { index -> Markup in
      ".s\(index) { --c: var(--c\(index)); }\n"
    }
    return """
      \(colors).v1 { --dash: 7 4; }
      .v2 { --dash: 2 3; }
      .v3 { --dash: 9 3 2 3; }

      """
  }()

  private static let page: Markup = """
    * { box-sizing: border-box; }
    html { -webkit-text-size-adjust: 100%; }
    body {
      margin: 0 auto; padding: 3.5rem 1.25rem 5rem; max-width: 94rem; background: var(--paper);
      color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif;
      overflow-wrap: anywhere;
    }
    .definitions { position: absolute; }
    h1 { margin: 0 0 1.5rem; font-size: 2.1rem; font-weight: 650; line-height: 1.2; letter-spacing: -.015em; }
    h2 { margin: 0 0 1.25rem; font-size: 1.35rem; font-weight: 650; line-height: 1.3; letter-spacing: -.01em; }
    h2.part { margin: 0; padding-top: 1.5rem; border-top: 3px solid var(--accent); font-size: 1.7rem; }
    h3 { margin: 0; font-size: 1.05rem; font-weight: 650; }
    h4 { margin: 0 0 .35rem; font-size: .9rem; font-weight: 600; }
    section { margin-top: 4rem; }
    article { margin-top: 5rem; }
    article > section:first-of-type { margin-top: 2.5rem; }
    a { color: var(--accent); text-decoration: none; }
    a:hover { text-decoration: underline; }
    .caption, figcaption { max-width: 46rem; margin: .75rem 0 0; color: var(--muted); font-size: .86rem; line-height: 1.5; }
    .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 1rem 2rem; margin: 0; }
    dt { color: var(--muted); font-size: .8rem; }
    dd { margin: 0; }
    nav { margin-top: 2rem; padding: .9rem 0; border: solid var(--rule); border-width: 1px 0; font-size: .9rem; }
    nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; margin: 0; padding: 0; list-style: none; }
    nav ul + ul { margin-top: .6rem; }
    nav .part { flex-basis: 100%; font-weight: 600; }
    .notice { padding: 1.25rem 1.5rem; border-left: 3px solid var(--warn); background: var(--sheet); }
    .notice h2 { margin-bottom: .5rem; font-size: 1.05rem; color: var(--warn); }
    .notice ul { margin: 0; padding-left: 1.2rem; font-size: .92rem; }
    .notice .line { display: block; }
    .notice .line:first-of-type { display: inline; }
    .common { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 0 2.5rem; margin: 0; }
    .common div { display: flex; justify-content: space-between; gap: 1rem; padding: .35rem 0; border-bottom: 1px solid var(--rule); font-size: .9rem; }
    .common dt { font-size: inherit; }
    .common dd { text-align: right; font-variant-numeric: tabular-nums; }

    """

  private static let tables: Markup = """
    .wide { overflow-x: auto; }
    table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
    th, td { padding: .38rem 1.4rem .38rem 0; text-align: left; font-weight: 400; vertical-align: baseline; white-space: nowrap; }
    th:last-child, td:last-child { padding-right: 0; }
    thead th { padding-bottom: .6rem; border-bottom: 1px solid var(--axis); color: var(--muted); font-size: .82rem; vertical-align: bottom; }
    tbody tr + tr > * { border-top: 1px solid var(--rule); }
    tbody tr.new > * { border-top-color: var(--axis); }
    .n { text-align: right; }
    .unit { display: block; color: var(--muted); font-size: .92em; }
    td .unit { display: inline; margin-left: .4em; }
    .pm { display: inline-block; margin-left: .45em; color: var(--muted); font-size: .93em; text-align: left; }
    .w1 { width: 2em; } .w2 { width: 2.6em; } .w3 { width: 3.2em; } .w4 { width: 3.6em; } .w5 { width: 4.2em; }
    .w6 { width: 4.8em; } .w7 { width: 5.4em; } .w8 { width: 5em; } .w9 { width: 6.6em; }
    .none, .partner { color: var(--muted); }
    td .key, th .key { margin-right: .55em; vertical-align: -1px; }
    .picture { padding-top: 0; padding-bottom: 0; vertical-align: middle; }
    svg.forest { display: block; width: 260px; }
    .settings td, .settings th { max-width: 24rem; white-space: normal; overflow-wrap: break-word; }
    .settings th:first-child { min-width: 9rem; }

    """

  private static let plots: Markup = """
    figure { margin: 0; }
    figure + figure { margin-top: 3.25rem; }
    .caption + figure { margin-top: 1.75rem; }
    .beside { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 2rem 4rem; }
    .beside > figure { flex: 1 1 19rem; max-width: 30rem; }
    .beside > .wide { max-width: 100%; }
    .head:not(:empty) { margin-bottom: 1.1rem; }
    .legend { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; margin: .35rem 0 0; padding: 0; list-style: none; font-size: .88rem; }
    .legend li { display: flex; align-items: center; gap: .5rem; }
    .key { flex: none; overflow: visible; }
    .grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 2.25rem 2.5rem; }
    .tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: 1.5rem; }
    .panel { max-width: 30rem; }
    .panel .caption { margin-top: .35rem; }
    .map { display: block; width: 100%; max-width: 11rem; height: auto; image-rendering: pixelated; }
    .tiles h4 { font-weight: 500; font-size: .84rem; }
    .plot { display: block; width: 100%; height: auto; font: 11.5px system-ui, -apple-system, "Segoe UI", sans-serif; font-variant-numeric: tabular-nums; }
    svg text { fill: var(--muted); font-size: 11.5px; }
    svg text.t { fill: var(--ink); }
    .g { stroke: var(--rule); fill: none; }
    .a { stroke: var(--axis); fill: none; }
    .zero { stroke: var(--ink); fill: none; }
    .l { stroke: var(--c); stroke-width: 1.9; stroke-linejoin: round; stroke-dasharray: var(--dash, none); fill: none; }
    .t { stroke: var(--c); stroke-width: .7; stroke-linejoin: round; opacity: .38; fill: none; }
    svg text.t { stroke: none; opacity: 1; }
    .e { stroke: var(--c); stroke-width: 1.2; fill: none; }
    .i { stroke: var(--c); stroke-width: 2; fill: none; }
    .m { fill: var(--c); stroke: var(--c); stroke-width: 1.2; }
    .h { fill: var(--paper); }
    .band { fill: var(--c); opacity: .13; }
    .filled { fill: var(--c); fill-opacity: .22; }
    .bar { fill: var(--c); stroke: var(--c); }
    .bar.h { fill: var(--paper); }
    svg text.v { font-size: 9.5px; }
    svg text.o { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round; }

    """

  private static let narrow: Markup = """
    @media (max-width: 38rem) {
      body { padding: 2rem 1rem 3rem; }
      h1 { font-size: 1.6rem; }
      section { margin-top: 3rem; }
      .facts { grid-template-columns: 1fr 1fr; }
      table.forest, table.forest thead, table.forest tbody { display: block; }
      table.forest tr { display: grid; grid-template-columns: 1fr auto auto auto; column-gap: 1rem; padding: .5rem 0; }
      table.forest th, table.forest td { padding: 0; border: 0; white-space: normal; }
      table.forest tbody tr + tr { border-top: 1px solid var(--rule); }
      table.forest .picture { grid-column: 1 / -1; grid-row: 2; }
      table.forest thead { border-bottom: 1px solid var(--axis); }
      table.forest thead th { border: 0; }
      table.forest .partner { display: block; margin-left: 1.35rem; }
      svg.forest { width: 100%; height: auto; }
    }

    """

  private static let print: Markup = """
    @media print {
      :root { color-scheme: light; --paper: #fff; --sheet: #fff; --ink: #000; --muted: #333; --rule: #ccc; --axis: #555; }
      @page { margin: 15mm; }
      html { font-size: 10pt; }
      body { max-width: none; padding: 0; font-size: 10pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
      nav { display: none; }
      a { color: inherit; }
      section { margin-top: 2rem; }
      h2, h3, h4, .head, thead { break-after: avoid; break-inside: avoid; }
      .caption, figcaption { break-before: avoid; }
      .panel, tr, .common div { break-inside: avoid; }
      .grid { grid-template-columns: 1fr 1fr; gap: 1.25rem 1.5rem; }
      .wide { overflow: visible; }
      table { font-size: 7.5pt; }
      thead th { font-size: 7pt; }
      th, td { padding-right: .8rem; }
    }

    """
}
