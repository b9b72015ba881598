extension SettingReference {
  /// All settings as a page of Markdown: docs/settings.md.
  package static var markdown: String {
    var page = """
      # Settings

      This page is written by `rigl settings --markdown > docs/settings.md`. `rigl settings` lists the same settings, and
      `rigl settings KEY` explains one.

      Settings come from a preset (`--preset NAME`, or `preset: NAME` in a file), then from a file (`KEY: VALUE`), then from flags
      (`--set KEY=VALUE`; lists and mappings between quotation marks: `--set 'hidden=[300, 100]'`); a later one wins. `null` takes a
      value away. `rigl train --dry-run` shows what they come to.

      """
    for section in Section.allCases {
      page += "\n## \(section.rawValue)\n\n\(section.summary)\n"
      for setting in all where setting.section == section { page += "\n" + setting.markdown }
    }
    return page
  }

  private var markdown: String {
    var text = "### \(code(key))\n\n\(meaning)\n\n"
    if case .words(let words) = values {
      text += "- values:\n"
      for (word, meaning) in words { text += "  - \(code(word)): \(meaning)\n" }
    } else {
      text += "- values: \(values.text)\n"
    }
    text += "- default: \(defaultValue.map(code) ?? defaultText)\n"
    if let matters { text += "- matters for: \(matters)\n" }
    return text
  }

  private func code(_ text: String) -> String { "`\(text)`" }
}
