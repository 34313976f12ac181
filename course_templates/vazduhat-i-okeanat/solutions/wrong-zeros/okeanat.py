# %% long
def to_long(wide):
    table = wide.melt("YEAR", var_name="month", value_name="temperature")
    table["month"] = table["month"].map(lambda name: MONTHS.index(name))
    return table.rename(columns={"YEAR": "year"})

# %% cycle
def seasonal_cycle(table):
    return table.groupby("month")["temperature"].mean()


def anomalies(table):
    table["anomaly"] = table["temperature"] - table["month"].map(seasonal_cycle(table))
    return table

# %% warm
def warm_years(table, threshold):
    means = table.groupby("year")["anomaly"].mean()
    return [int(year) for year in means.index[means >= threshold]]

# %% correlation
def correlation(a, b):
    both = pd.concat([a, b], axis=1).fillna(0)
    return both.iloc[:, 0].corr(both.iloc[:, 1])
