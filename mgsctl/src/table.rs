//! Columns and field lists for people: aligned, without borders, easy on `awk`.

/// Columns under a line of headings.
pub(crate) struct Table {
    /// Whether a column holds numbers, which are aligned to the right.
    numeric: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these columns; a heading that begins with `#` is one of numbers.
    pub(crate) fn new(headings: &[&str]) -> Self {
        Table {
            numeric: headings.iter().map(|heading| heading.starts_with('#')).collect(),
            rows: vec![headings.iter().map(|heading| heading.trim_start_matches('#').to_owned()).collect()],
        }
    }

    /// Adds a row. An empty cell is shown as `-`, so that every line has the same number of words.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(
            cells.iter().map(|cell| if cell.is_empty() { "-".to_owned() } else { one_line(cell) }).collect(),
        );
    }

    /// The text, a line per row.
    pub(crate) fn render(&self) -> String {
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let columns: Vec<(usize, bool)> =
            self.numeric.iter().enumerate().map(|(column, numeric)| (width(column), *numeric)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .zip(&columns)
                .map(
                    |(cell, (width, numeric))| {
                        if *numeric { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
                    },
                )
                .collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// One object as lines of `name: value`.
#[derive(Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Adds a line; an empty value is shown as `-`.
    pub(crate) fn add(&mut self, name: impl Into<String>, value: impl ToString) {
        let value = value.to_string();
        self.0.push((name.into(), if value.is_empty() { "-".to_owned() } else { one_line(&value) }));
    }

    /// Adds a line where there is a value.
    pub(crate) fn add_some(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    /// The text, a line per field.
    pub(crate) fn render(&self) -> String {
        let width = self.0.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0) + 1;
        self.0.iter().map(|(name, value)| format!("{:<width$} {value}\n", format!("{name}:"))).collect()
    }
}

/// Control characters escaped: nodes name themselves, and a name must not move the cursor of an admin.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .flat_map(|char| {
            let escaped = char.is_control().then(|| char.escape_default());
            let plain = escaped.is_none().then_some(char);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_kind_and_lines_have_no_trailing_blanks() {
        let mut table = Table::new(&["NAME", "#SIZE", "NOTE"]);
        table.row(["a".to_owned(), "10".to_owned(), String::new()]);
        table.row(["längst".to_owned(), "9".to_owned(), "x\ny".to_owned()]);
        assert_eq!(table.render(), "NAME    SIZE  NOTE\na         10  -\nlängst     9  x\\ny\n");
    }

    #[test]
    fn fields_align() {
        let mut fields = Fields::default();
        fields.add("name", "x");
        fields.add("longer name", "");
        fields.add_some("missing", None::<u32>);
        assert_eq!(fields.render(), "name:        x\nlonger name: -\n");
    }

    #[test]
    fn terminals_are_safe() {
        assert_eq!(one_line("a\u{1b}[2Jb\u{7}\u{9b}c"), "a\\u{1b}[2Jb\\u{7}\\u{9b}c");
    }
}
