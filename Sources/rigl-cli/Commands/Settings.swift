import ArgumentParser
import Foundation
import RigLCore

/// `rigl settings`
struct Settings: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the settings that files and --set take, or explain one.",
    discussion: """
      Settings are written KEY: VALUE in a file, and --set KEY=VALUE on the command line.
      """)

  @Argument(
    help: ArgumentHelp(
      "The setting to explain: its meaning, values, default, and what it matters for.",
      valueName: "key"))
  var key: String?

  @Flag(help: "Print all of them as Markdown, as docs/settings.md has them.")
  var markdown = false

  @OptionGroup var printing: PrintingArguments

  func validate() throws {
    if markdown && (key != nil || printing.json) {
      throw ValidationError("--markdown prints all settings, and no JSON.")
    }
  }

  func run() throws {
    let width = Terminal.standardOutput.columns
    if markdown {
      try Output.standard.write(SettingReference.markdown)
    } else if let key {
      let setting = try SettingReference.find(key)
      try printing.print(setting, orText: text(setting, width: width))
    } else {
      try printing.print(SettingReference.all, orText: list(width: width))
    }
  }

  /// A line for each setting; the defaults too where there is room.
  private func list(width: Int) -> String {
    var text = ""
    for section in SettingReference.Section.allCases {
      let settings = SettingReference.all.filter { $0.section == section }
      let keys = (settings.map(\.key.count).max() ?? 0) + 2
      text += section.rawValue + "\n"
      for setting in settings {
        let isWide = width >= 110
        let start = "  " + setting.key.padded(to: keys)
        let value = isWide ? shortened(setting.defaultText, to: 24).padded(to: 26) : ""
        let sentences = setting.meaning.dropLast().components(separatedBy: ". ")
        let meaning = sentences.first ?? ""
        let room = width - start.count - value.count
        let line = start + value + shortened(meaning, to: room)
        text += (room < 12 ? shortened("  " + setting.key, to: width) : line) + "\n"
      }
      text += "\n"
    }
    return text + wrapped("For all of a setting: rigl settings KEY", width: width) + "\n"
  }

  private func text(_ setting: SettingReference, width: Int) -> String {
    var lines = [("values", setting.values.text), ("default", setting.defaultText)]
    if let matters = setting.matters { lines.append(("matters for", matters)) }
    lines.append(("set by", "--set \(setting.key)=VALUE or, in a file, \(setting.key): VALUE"))
    var text = shortened("\(setting.key) (\(setting.section.rawValue))", to: width) + "\n"
    text += indented(setting.meaning, by: 2, width: width) + "\n\n"
    text += lines.map { beside("  " + $0, $1, indent: 15, width: width) }.joined()
    guard case .words(let words) = setting.values else { return text }
    let indent = (words.map(\.word.count).max() ?? 0) + 4
    text += "\n"
    for (word, meaning) in words {
      text += beside("  " + word, meaning, indent: indent, width: width)
    }
    return text
  }

  /// A text in at most `width` columns.
  private func shortened(_ text: String, to width: Int) -> String {
    guard text.count > width else { return text }
    let dots = Terminal.standardOutput.showsUnicode ? "…" : "..."
    return String(text.prefix(max(0, width - dots.count))) + dots
  }
}

extension String {
  /// With spaces after it.
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
