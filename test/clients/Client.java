/*
 * Client.java: reads ssot as a BI tool on the JVM does, and prints what it sees, a
 * line per question: "question: answer". test/t/clients.pl knows the answers.
 *
 *     java -cp '/usr/share/java/*' Client.java URL TIME
 *
 * TIME is an instant before the last change, in ISO format without spaces.
 */
import java.math.BigDecimal;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.time.OffsetDateTime;
import java.util.Properties;
import org.postgresql.PGStatement;
import org.postgresql.util.PGobject;

public class Client
{
	static String url;

	static Connection connect(String options) throws SQLException
	{
		Properties properties = new Properties();

		properties.setProperty("user", "postgres");
		return DriverManager.getConnection(url + (options == null ? "" :
			"?options=" + URLEncoder.encode("-c " + options, StandardCharsets.UTF_8)), properties);
	}

	static void say(String question, Object answer)
	{
		System.out.println(question + ": " + answer);
	}

	static String refusal(Connection connection, String sql)
	{
		try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql))
		{
			return "not refused";
		}
		catch (SQLException error)
		{
			return error.getSQLState() + " " + error.getMessage().split("\n")[0];
		}
	}

	static String first(Connection connection, String sql) throws SQLException
	{
		try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql))
		{
			return result.next() ? result.getString(1) : "no row";
		}
	}

	/* Names, types and comments, as a tool lists them. */
	static void catalogue(Connection connection) throws SQLException
	{
		DatabaseMetaData data = connection.getMetaData();

		for (String name : new String[] {"pipeline", "pipeline:finance", "pipeline\\_by\\_month"})
			try (ResultSet table = data.getTables(null, "metrics", name, new String[] {"VIEW"}))
			{
				while (table.next())
					say("table metrics." + table.getString("TABLE_NAME"), table.getString("REMARKS"));
			}
		for (String[] name : new String[][] {{"metrics", "pipeline\\_by\\_month"}, {"golden\\_as\\_of", "deal"}, {"golden", "account"}})
			try (ResultSet column = data.getColumns(null, name[0], name[1], "%"))
			{
				while (column.next())
					say("column " + column.getString("TABLE_SCHEM") + "." + column.getString("TABLE_NAME") + "." + column.getString("COLUMN_NAME"),
						column.getString("TYPE_NAME") + (column.getInt("DECIMAL_DIGITS") == 2 ? "(" + column.getInt("COLUMN_SIZE") + ",2)" : "") +
						", " + column.getString("REMARKS"));
			}
		try (ResultSet key = data.getPrimaryKeys(null, "golden", "deal"))
		{
			while (key.next())
				say("primary key", key.getString("COLUMN_NAME"));
		}
		try (ResultSet key = data.getImportedKeys(null, "golden", "deal"))
		{
			while (key.next())
				say("foreign key", key.getString("FKCOLUMN_NAME") + " to " + key.getString("PKTABLE_SCHEM") + "." +
					key.getString("PKTABLE_NAME") + "." + key.getString("PKCOLUMN_NAME"));
		}
	}

	/*
	 * From the sixth execution on the driver names the statement and asks for binary
	 * values of the types that it knows: what it gives must be what it gave as text.
	 */
	static void repeated(Connection connection, String sql) throws SQLException
	{
		String before = null;
		boolean same = true;

		try (PreparedStatement statement = connection.prepareStatement(sql))
		{
			for (int n = 0; n < 8; n++)
				try (ResultSet result = statement.executeQuery())
				{
					StringBuilder answer = new StringBuilder();
					ResultSetMetaData meta = result.getMetaData();

					while (result.next())
						for (int i = 1; i <= meta.getColumnCount(); i++)
							answer.append(meta.getColumnLabel(i)).append(" ").append(meta.getColumnTypeName(i)).append(" ")
								.append(result.getObject(i)).append("; ");
					same &= before == null || before.equals(answer.toString());
					before = answer.toString();
				}
			say("eight times " + sql, (same ? "the same, " : "NOT the same, ") +
				(statement.unwrap(PGStatement.class).isUseServerPrepare() ? "prepared" : "not prepared"));
		}
	}

	static void values(Connection connection, String time) throws SQLException
	{
		try (PreparedStatement statement = connection.prepareStatement("SELECT * FROM metrics.pipeline_by_country WHERE country = ?"))
		{
			((PGStatement) statement).setPrepareThreshold(1);
			statement.setString(1, "US");
			for (int n = 0; n < 2; n++)
				try (ResultSet row = statement.executeQuery())
				{
					row.next();
					say("value", row.getBigDecimal("value"));
					say("unit, version", row.getString("unit") + " " + row.getInt("version"));
					say("as_of", row.getObject("as_of", OffsetDateTime.class).equals(OffsetDateTime.parse(first(connection,
						"SELECT to_char(ssot.stable_until('golden.deal') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"))));
					say("freshness", ((PGobject) row.getObject("freshness")).getType() + " " + row.getString("freshness"));
					say("metric", ((PGobject) row.getObject("metric")).getType() + " " +
						row.getString("metric").replaceAll("@.*", "@"));
				}
		}
		try (PreparedStatement statement = connection.prepareStatement("SELECT m.metric = ?, m.metric - ? FROM metrics.pipeline AS m"))
		{
			PGobject metric = new PGobject();

			metric.setType("ssot.metric_value");
			metric.setValue(first(connection, "SELECT metric FROM metrics.pipeline"));
			statement.setObject(1, metric);
			statement.setObject(2, metric);
			try (ResultSet row = statement.executeQuery())
			{
				row.next();
				say("a metric as a parameter", row.getBoolean(1) + " " + row.getString(2).replaceAll("@.*", "@"));
			}
		}
		try (Statement statement = connection.createStatement(); ResultSet row = statement.executeQuery("SELECT value, metric FROM metrics.nothing"))
		{
			row.next();
			say("no value", row.getBigDecimal(1) + " " + row.getString(2).replaceAll("@.*", "@"));
		}
		say("two definitions", refusal(connection, "SELECT a.metric - b.metric FROM metrics.pipeline AS a, metrics.\"pipeline:finance\" AS b"));
		say("too early", refusal(connection, "SELECT count(*) FROM golden.deal_at('2001-01-01')"));
		repeated(connection, "SELECT * FROM metrics.pipeline_by_month ORDER BY month");
		repeated(connection, "SELECT * FROM metrics.\"mean deal\"");
		repeated(connection, "SELECT slice, value, as_of, freshness, borrowed FROM ssot.metric('pipeline', by => '{country,month}')");
		repeated(connection, "SELECT * FROM ssot.explain_difference('pipeline', 'crm', 'erp')");
		repeated(connection, "SELECT * FROM golden_as_of.deal ORDER BY deal_id");
		repeated(connection, "SELECT * FROM ssot.dictionary ORDER BY definition, variant");
		repeated(connection, "SELECT * FROM ssot.entity_map ORDER BY entity");
	}

	/* A prepared statement follows the setting: its plan keeps no time. */
	static void travel(Connection connection, String time) throws SQLException
	{
		try (Statement set = connection.createStatement();
			PreparedStatement statement = connection.prepareStatement("SELECT value FROM metrics_as_of.pipeline");
			PreparedStatement asked = connection.prepareStatement("SELECT value FROM ssot.metric('pipeline', as_of => ?)"))
		{
			StringBuilder answer = new StringBuilder();

			for (int n = 0; n < 16; n++)
			{
				set.execute("SET ssot.as_of = '" + (n % 8 == 7 ? time : "") + "'");
				try (ResultSet row = statement.executeQuery())
				{
					row.next();
					if (n % 8 >= 6)
						answer.append(row.getBigDecimal(1)).append(" ");
				}
			}
			say("now and then, prepared", answer.toString().trim());
			set.execute("RESET ssot.as_of");
			asked.setObject(1, OffsetDateTime.parse(time));
			try (ResultSet row = asked.executeQuery())
			{
				row.next();
				say("then, asked with a parameter", row.getBigDecimal(1));
			}
		}
	}

	static void cursors(Connection connection) throws SQLException
	{
		connection.setReadOnly(true);
		connection.setAutoCommit(false);
		for (String sql : new String[] {"SELECT * FROM golden.deal", "SELECT * FROM golden_as_of.deal", "SELECT * FROM golden_ssot.deal_source",
			"SELECT * FROM metrics.pipeline_by_month", "SELECT * FROM ssot.drift('golden.deal')", "SELECT * FROM ssot.verify_publications()"})
			try (PreparedStatement statement = connection.prepareStatement(sql))
			{
				int rows = 0;

				statement.setFetchSize(7);
				try (ResultSet result = statement.executeQuery())
				{
					while (result.next())
						rows++;
				}
				say("seven at a time " + sql, rows);
			}
		say("read only", refusal(connection, "SELECT ssot.publish('pipeline')"));
		connection.rollback();
	}

	public static void main(String[] args) throws SQLException
	{
		String time = args[1];

		url = args[0];
		try (Connection connection = connect(null))
		{
			catalogue(connection);
			values(connection, time);
			travel(connection, time);
			cursors(connection);
		}
		try (Connection connection = connect("ssot.as_of=" + time))
		{
			say("then", first(connection, "SELECT value FROM metrics_as_of.pipeline"));
			say("then, records", first(connection, "SELECT amount FROM golden_as_of.deal WHERE renewal"));
			say("then, today's records", first(connection, "SELECT amount FROM golden.deal WHERE renewal"));
			say("then, today's metric", refusal(connection, "SELECT value FROM metrics.pipeline"));
		}
		for (String wrong : new String[] {"ssot.asof=" + time, "ssot.as_of=last\\ week"})
			try (Connection connection = connect(wrong))
			{
				say("wrong " + wrong.replaceAll("=2.*", "="), refusal(connection, "SELECT value FROM metrics_as_of.pipeline"));
				say("again", refusal(connection, "SELECT value FROM metrics.pipeline"));
			}
	}
}
